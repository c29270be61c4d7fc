package wire

import "bytes"

// maxLength is where Content-Length saturates, far above any body limit.
const maxLength = 1 << 56

// fields is what header lines say about the request as a whole.
type fields struct {
	length    int64  // Content-Length, -1 when absent; saturates
	rawLength []byte // its digits
	hosts     int    // Host lines
	coded     bool   // a Transfer-Encoding line
	chunked   bool   // its value was "chunked" alone
	close     bool   // Connection: close
	keepAlive bool   // Connection: keep-alive
	expect    bool   // Expect: 100-continue
	typed     bool   // a Content-Type line
}

// line takes one header line, without its CRLF and not empty.
func (f *fields) line(line []byte, r *Request) *Error {
	colon := 0
	for colon < len(line) && charClass[line[colon]]&classToken != 0 {
		colon++
	}
	// A folded line starts with a space and so has an empty name.
	if colon == 0 || colon == len(line) || line[colon] != ':' {
		return ErrBadRequest
	}
	value := trim(line[colon+1:])
	if !all(value, classValue) {
		return ErrBadRequest
	}
	return f.field(line[:colon], value, r)
}

// field takes one header. The lengths of the names keep the usual unknown
// header from being compared with anything.
func (f *fields) field(name, value []byte, r *Request) *Error {
	switch len(name) {
	case len("host"), len("origin"): // and expect
		switch {
		case equalFold(name, "host"):
			f.hosts++
			if f.hosts > 1 || !all(value, classHost) {
				return ErrBadRequest
			}
		case equalFold(name, "origin"):
			first(&r.Origin, value)
		case equalFold(name, "expect"):
			if !equalFold(value, "100-continue") {
				return ErrExpectationFailed
			}
			f.expect = true
		}
	case len("connection"):
		if equalFold(name, "connection") {
			f.connection(value)
		}
	case len("content-type"):
		if equalFold(name, "content-type") && !f.typed {
			f.typed = true
			media, _, _ := bytes.Cut(value, semicolon)
			r.Form = equalFold(trim(media), "application/x-www-form-urlencoded")
		}
	case len("last-event-id"): // and authorization
		switch {
		case equalFold(name, "last-event-id"):
			first(&r.LastEventID, value)
		case equalFold(name, "authorization"):
			first(&r.Authorization, value)
		}
	case len("content-length"):
		if equalFold(name, "content-length") {
			return f.contentLength(value)
		}
	case len("x-forwarded-for"):
		if equalFold(name, "x-forwarded-for") {
			// Of several the last was added by the nearest proxy.
			r.ForwardedFor = value
		}
	case len("transfer-encoding"):
		if equalFold(name, "transfer-encoding") {
			f.chunked = !f.coded && equalFold(value, "chunked")
			f.coded = true
		}
	}
	return nil
}

var semicolon = []byte{';'}

// first keeps the value of the first of several headers. A present but empty
// value is an empty slice, not nil: trim never returns nil for a line.
func first(dst *[]byte, value []byte) {
	if *dst == nil {
		*dst = value
	}
}

// connection takes a list of options.
func (f *fields) connection(list []byte) {
	for len(list) > 0 {
		option := list
		if comma := bytes.IndexByte(list, ','); comma >= 0 {
			option, list = list[:comma], list[comma+1:]
		} else {
			list = nil
		}
		option = trim(option)
		f.close = f.close || equalFold(option, "close")
		f.keepAlive = f.keepAlive || equalFold(option, "keep-alive")
	}
}

// contentLength takes digits only. The same header again must have the same
// digits: "10" and "010" are two lengths to some reader in between.
func (f *fields) contentLength(value []byte) *Error {
	if len(value) == 0 {
		return ErrBadRequest
	}
	n := int64(0)
	for _, c := range value {
		if !isDigit(c) {
			return ErrBadRequest
		}
		n = min(n*10+int64(c-'0'), maxLength)
	}
	if f.length >= 0 && !bytes.Equal(f.rawLength, value) {
		return ErrBadRequest
	}
	f.length, f.rawLength = n, value
	return nil
}

// check holds the rules that span several headers.
func (f *fields) check(r *Request) *Error {
	switch {
	case f.hosts == 0 && r.Minor == 1:
		return ErrBadRequest
	case f.coded && (f.length >= 0 || r.Minor == 0):
		return ErrBadRequest // two ways to tell where it ends
	case f.chunked:
		return ErrLengthRequired
	case f.coded:
		return ErrNotImplemented
	}
	return nil
}
