package result

import "strings"

// Sentence begins a text with a capital.
func Sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
