// Package failpoint lets a test stop a process between any two stores.
//
// Structures in shared memory call Hit with a name after every store that
// another process can see. Without the build tag mpcrash Hit is empty and
// costs nothing. With it, a process whose environment says
// MP_FAILPOINT=name:n kills itself with SIGKILL at the n-th Hit of that name,
// and a test in the same process can set a hook instead.
package failpoint
