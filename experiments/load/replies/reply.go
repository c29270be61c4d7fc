package replies

import (
	"bytes"
	"errors"
)

// Limits of a reply, in bytes.
const (
	MostHeadBytes = 8 << 10
	MostBytes     = 4 << 20
)

// Errors of a reply that no client could use.
var (
	ErrHead   = errors.New("the head of a reply is not HTTP/1.1")
	ErrFrame  = errors.New("the body of a reply has neither a length nor valid chunks")
	errLength = errors.New("a reply is longer than is taken")
)

// Head is what matters of a reply's head.
type Head struct {
	Size    int // bytes, the empty line included
	Status  int
	Chunked bool
	Length  int // -1: not said
}

var (
	headEnd          = []byte("\r\n\r\n")
	httpVersion      = []byte("HTTP/1.1 ")
	nameChunked      = []byte("transfer-encoding")
	nameLength       = []byte("content-length")
	valueChunked     = []byte("chunked")
	lineEnd          = []byte("\r\n")
	chunkedLastBytes = []byte("\r\n")
)

// ParseHead reads the head at the start of data. A size of 0 means that it is
// not all there.
func ParseHead(data []byte) (Head, error) {
	end := bytes.Index(data, headEnd)
	if end < 0 {
		if len(data) > MostHeadBytes {
			return Head{}, ErrHead
		}
		return Head{}, nil
	}
	h := Head{Size: end + len(headEnd), Length: -1}
	lines := data[:end+len(lineEnd)]
	if len(lines) < len(httpVersion)+len("200\r\n") || !bytes.HasPrefix(lines, httpVersion) {
		return Head{}, ErrHead
	}
	status, ok := Decimal(lines[len(httpVersion) : len(httpVersion)+3])
	if !ok {
		return Head{}, ErrHead
	}
	h.Status = int(status)
	for {
		lines = lines[bytes.IndexByte(lines, '\n')+1:]
		if len(lines) == 0 {
			return h, nil
		}
		// Two names matter, and they begin with letters that few others do.
		switch lines[0] | 0x20 {
		case 't':
			value, ok := headerValue(lines, nameChunked)
			h.Chunked = h.Chunked || ok && bytes.EqualFold(value, valueChunked)
		case 'c':
			if value, ok := headerValue(lines, nameLength); ok {
				n, ok := Decimal(value)
				if !ok || n > MostBytes {
					return Head{}, ErrFrame
				}
				h.Length = int(n)
			}
		}
	}
}

// headerValue returns the value of the header line at the start of lines, if it
// has the name.
func headerValue(lines, name []byte) ([]byte, bool) {
	if len(lines) <= len(name) || lines[len(name)] != ':' || !bytes.EqualFold(lines[:len(name)], name) {
		return nil, false
	}
	line, _, _ := bytes.Cut(lines[len(name)+1:], lineEnd)
	return bytes.TrimSpace(line), true
}

// Decimal reads digits and nothing else.
func Decimal(digits []byte) (uint64, bool) {
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// Chunks reads a chunked body at the start of data. A size of 0 means that it is
// not all there. A body of one chunk, the usual case, stays where it is; one of
// several is gathered in scratch, which is returned for the next call.
func Chunks(data, scratch []byte) (body []byte, size int, kept []byte, err error) {
	scratch = scratch[:0]
	rest := data
	for pieces := 0; ; pieces++ {
		length, line, err := ChunkSize(rest)
		if err != nil || line == 0 {
			return nil, 0, scratch, err
		}
		rest = rest[line:]
		if length == 0 {
			if len(rest) < len(chunkedLastBytes) {
				return nil, 0, scratch, nil
			}
			if !bytes.HasPrefix(rest, chunkedLastBytes) {
				return nil, 0, scratch, ErrFrame // trailers are not of this protocol
			}
			return body, len(data) - len(rest) + len(chunkedLastBytes), scratch, nil
		}
		if len(rest) < length+len(lineEnd) {
			return nil, 0, scratch, nil
		}
		if !bytes.HasPrefix(rest[length:], lineEnd) {
			return nil, 0, scratch, ErrFrame
		}
		piece := rest[:length]
		rest = rest[length+len(lineEnd):]
		if pieces == 0 {
			body = piece
			continue
		}
		if pieces == 1 {
			scratch = append(scratch, body...)
		}
		scratch = append(scratch, piece...)
		body = scratch
	}
}

// Chunk reads the chunk at the start of data, which is not the last. A size of 0
// means that it is not all there. The piece lies in data.
func Chunk(data []byte) (piece []byte, size int, err error) {
	length, line, err := ChunkSize(data)
	if err != nil || line == 0 {
		return nil, 0, err
	}
	if length == 0 {
		return nil, 0, ErrFrame
	}
	size = line + length + len(lineEnd)
	if len(data) < size {
		return nil, 0, nil
	}
	if !bytes.HasPrefix(data[line+length:], lineEnd) {
		return nil, 0, ErrFrame
	}
	return data[line : line+length], size, nil
}

// ChunkSize reads the line that begins a chunk: its size in hexadecimal. A line
// of 0 bytes means that it is not all there.
func ChunkSize(data []byte) (length, line int, err error) {
	const mostDigits = 8
	for i, c := range data {
		switch {
		case c >= '0' && c <= '9':
			length = length<<4 | int(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			length = length<<4 | int(c|0x20-'a'+10)
		case c == '\r' && i > 0:
			if len(data) == i+1 {
				return 0, 0, nil
			}
			if data[i+1] != '\n' {
				return 0, 0, ErrFrame
			}
			if length > MostBytes {
				return 0, 0, errLength
			}
			return length, i + len(lineEnd), nil
		default:
			return 0, 0, ErrFrame
		}
		if i == mostDigits {
			return 0, 0, ErrFrame
		}
	}
	return 0, 0, nil
}
