package soak

import (
	"bytes"
	"strconv"
	"strings"
)

// A content is the name of its channel, or the mark of a broadcast, how often the
// unit follows, and the unit so often. The unit has what must be escaped.
const (
	broadcastMark = "*"
	unit          = "a\"b\\c\n\u00e9 "
	unitEscaped   = `a\"b\\c\n` + "\u00e9 "
	mostUnits     = 20_000
)

var (
	units        = strings.Repeat(unit, mostUnits)
	unitsEscaped = []byte(strings.Repeat(unitEscaped, mostUnits))
)

// content is a content of n units, escaped for JSON or not.
func content(name string, n int, escaped bool) string {
	head := name + " " + strconv.Itoa(n) + " "
	if escaped {
		return head + string(unitsEscaped[:n*len(unitEscaped)])
	}
	return head + units[:n*len(unit)]
}

// isContent says whether got, as it stands in an object, is a content of name.
func isContent(got []byte, name string) bool {
	rest, ok := bytes.CutPrefix(got, []byte(name+" "))
	if !ok {
		return false
	}
	digits, rest, ok := bytes.Cut(rest, []byte(" "))
	n, err := strconv.Atoi(string(digits))
	return ok && err == nil && n >= 0 && n <= mostUnits && bytes.Equal(rest, unitsEscaped[:n*len(unitEscaped)])
}
