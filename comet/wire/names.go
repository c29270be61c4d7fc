package wire

// Names goes through the channel names of a request: all parameters called
// cname, those of the form alone where it has any.
type Names struct {
	Form, Query []byte // raw
	begun       bool
}

// Next appends the next name, decoded, to dst and returns what it appended to;
// ok is false, and nothing appended, when there is none left.
func (n *Names) Next(dst []byte) (name []byte, ok bool) {
	if !n.begun {
		n.begun = true
		if hasName(n.Form) {
			n.Query = nil
		} else {
			n.Form = nil
		}
	}
	for {
		from := &n.Form
		if len(n.Form) == 0 {
			from = &n.Query
		}
		key, value, rest, ok := NextParam(*from)
		*from = rest
		switch {
		case !ok && len(n.Query) == 0:
			return dst, false
		case ok && equalFold(key, "cname"):
			return AppendDecoded(dst, value), true
		}
	}
}

// Count is how many names there are.
func (n Names) Count() (count int) {
	var scratch [1]byte
	for {
		if _, ok := n.Next(scratch[:0]); !ok {
			return count
		}
		count++
	}
}

// hasName reports whether a source of parameters has a name.
func hasName(s []byte) bool {
	for {
		key, _, rest, ok := NextParam(s)
		if !ok {
			return false
		}
		if equalFold(key, "cname") {
			return true
		}
		s = rest
	}
}
