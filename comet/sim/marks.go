package sim

import "regexp"

// marks are texts that the service gives to a channel for its life and that
// nobody can foretell: tokens, epochs. The model masks them in replies and
// remembers which instance of a channel each was given for.
type marks struct {
	of   map[int]string // by instance
	by   map[string]int
	seen map[string]bool // given by some reply, whosever it is
}

func newMarks() *marks {
	return &marks{of: map[int]string{}, by: map[string]int{}, seen: map[string]bool{}}
}

// verdict says whether the text is the instance's, and whether that is certain.
func (m *marks) verdict(instance int, text string) (fits, sure bool) {
	if own, ok := m.of[instance]; ok {
		return own == text, true
	}
	if _, ok := m.by[text]; ok || !m.seen[text] {
		return false, true
	}
	return false, false
}

// give notes that a reply gave the text for the instance, which may be one of
// several (sure is false then); false if it cannot be.
func (m *marks) may(instance int, text string) bool {
	if own, ok := m.of[instance]; ok {
		return own == text
	}
	_, taken := m.by[text]
	return !taken
}

func (m *marks) bind(instance int, text string) { m.of[instance], m.by[text] = text, instance }

// Masks have the length of what they stand for, since replies tell lengths.
const (
	epochMask = "EEEEEEEEEEEEEEEE"
	tokenMask = "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT"
)

var (
	epochForm = regexp.MustCompile(`(\{"type":"(?:gap|next_seq)","cname":"(?:[^"\\]|\\.)*","seq":\d+,"content":")([0-9a-f]{16})"`)
	tokenForm = regexp.MustCompile(`("token":")([0-9a-f]{32})"`)
)

// maskAs replaces what the form finds and returns the text it stands for.
func maskAs(form *regexp.Regexp, mask, text string) (masked, found string) {
	at := form.FindStringSubmatchIndex(text)
	if at == nil {
		return text, ""
	}
	return text[:at[4]] + mask + text[at[5]:], text[at[4]:at[5]]
}

// markOf masks the token or the epoch that a reply gives.
func (m *model) markOf(a *ask, reply string) (masked, text string, of *marks) {
	if a.kind == "sign" {
		masked, text = maskAs(tokenForm, tokenMask, reply)
		return masked, text, m.tokens
	}
	if a.kind == "sub" && a.gap {
		masked, text = maskAs(epochForm, epochMask, reply)
		return masked, text, m.epochs
	}
	return reply, "", m.epochs
}

// learn binds a mark that a reply gave to the instance that gave it, where all
// states that are left agree which one that is.
func (m *model) learn(c *channelModel, a *ask, text string, of *marks) {
	if text == "" {
		return
	}
	of.seen[text] = true
	instance := c.states[0].wait[a].instance
	for _, p := range c.states {
		if p.wait[a].instance != instance {
			return
		}
	}
	of.bind(instance, text)
}
