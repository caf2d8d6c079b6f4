//go:build !mpnopin && !mpcrash

// This file lets the package declare functions without a body, which is how
// pin_runtime.go names those of the runtime.
