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
	raw, ok := n.next()
	if !ok {
		return dst, false
	}
	return AppendDecoded(dst, raw), true
}

// Count is how many names there are still.
func (n Names) Count() (count int) {
	for {
		if _, ok := n.next(); !ok {
			return count
		}
		count++
	}
}

// next is the next name as it was sent.
func (n *Names) next() (raw []byte, ok bool) {
	if !n.begun {
		n.begun = true
		if hasName(n.Form) {
			n.Query = nil
		} else {
			n.Form = nil
		}
	}
	from := &n.Form
	if len(n.Form) == 0 {
		from = &n.Query
	}
	raw, *from, ok = nextOf(*from, "cname")
	return raw, ok
}

// hasName reports whether a source of parameters has a name.
func hasName(s []byte) bool {
	_, _, ok := nextOf(s, "cname")
	return ok
}
