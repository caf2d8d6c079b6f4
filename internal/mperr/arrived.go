package mperr

// arrived is an error of another process or program: its text, and the
// registered errors in its tree.
type arrived struct {
	text   string
	causes []error
}

// Arrived returns an error with the text of one that came from elsewhere, in
// whose tree errors.Is finds the causes. A cause that is all of it stands for
// itself.
func Arrived(text string, causes []error) error {
	if len(causes) == 1 && causes[0].Error() == text {
		return causes[0]
	}
	return &arrived{text, causes}
}

func (e *arrived) Error() string   { return e.text }
func (e *arrived) Unwrap() []error { return e.causes }
