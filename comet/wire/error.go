package wire

// Error is a refusal: the status to answer with before closing. The values are
// preallocated and compared by identity; none is ever changed.
type Error struct {
	Status int    // the HTTP status code, 400 to 599
	Reason string // its reason phrase
}

// Error returns the reason phrase.
func (e *Error) Error() string { return e.Reason }

// The refusals of [Parse].
var (
	ErrBadRequest        = newError(400) // malformed, or ambiguous where it ends
	ErrLengthRequired    = newError(411) // Transfer-Encoding: chunked
	ErrBodyTooLarge      = newError(413) // Content-Length over Limits.BodyBytes
	ErrURITooLong        = newError(414) // no end of the request line within Limits.HeaderBytes
	ErrExpectationFailed = newError(417) // an Expect other than 100-continue
	ErrHeaderTooLarge    = newError(431) // no end of the header within Limits.HeaderBytes
	ErrNotImplemented    = newError(501) // an overlong method, or a transfer coding other than chunked
	ErrVersion           = newError(505) // neither HTTP/1.0 nor HTTP/1.1
)

func newError(status int) *Error {
	return &Error{Status: status, Reason: StatusText(status)}
}

// StatusText is the reason phrase of a status that this server may answer
// with, or "Error" for any other.
func StatusText(status int) string {
	switch status {
	case 200:
		return "OK"
	case 204:
		return "No Content"
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 408:
		return "Request Timeout"
	case 411:
		return "Length Required"
	case 413:
		return "Content Too Large"
	case 414:
		return "URI Too Long"
	case 417:
		return "Expectation Failed"
	case 429:
		return "Too Many Requests"
	case 431:
		return "Request Header Fields Too Large"
	case 500:
		return "Internal Server Error"
	case 501:
		return "Not Implemented"
	case 503:
		return "Service Unavailable"
	case 505:
		return "HTTP Version Not Supported"
	}
	return "Error"
}
