package replies

import "errors"

// MostPositionBytes bounds each of a position's two values, so that a client may
// keep it at its connection. nchan's have up to 29 and about 20.
const MostPositionBytes = 31

var errPosition = errors.New("a reply has no position that can be sent back")

var (
	nameModified = []byte("last-modified")
	nameEtag     = []byte("etag")
)

// Position reads where in a channel of nchan a subscriber stands by the head of a
// reply: the values of Last-Modified, which may be missing (empty), and of Etag,
// which may not. They are sent back as they came, so they must be short and
// visible. The slices lie in the head.
func Position(head []byte) (modified, etag []byte, err error) {
	rest := head
	for len(rest) > 0 {
		// Two names matter, and they begin with letters that few others do.
		switch rest[0] | 0x20 {
		case 'l':
			if err := positionValue(rest, nameModified, &modified); err != nil {
				return nil, nil, err
			}
		case 'e':
			if err := positionValue(rest, nameEtag, &etag); err != nil {
				return nil, nil, err
			}
		}
		end := lineLength(rest)
		rest = rest[end:]
	}
	if etag == nil {
		return nil, nil, errPosition
	}
	return modified, etag, nil
}

// lineLength is the number of bytes to the next line.
func lineLength(data []byte) int {
	for i, c := range data {
		if c == '\n' {
			return i + 1
		}
	}
	return len(data)
}

// positionValue sets value where the line at the start of lines has the name. A
// second of the same name is an error.
func positionValue(lines, name []byte, value *[]byte) error {
	v, ok := headerValue(lines, name)
	if !ok {
		return nil
	}
	if len(v) == 0 || len(v) > MostPositionBytes || *value != nil {
		return errPosition
	}
	for _, c := range v {
		if c < ' ' || c > '~' {
			return errPosition
		}
	}
	*value = v
	return nil
}
