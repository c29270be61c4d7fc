package arena

// SetLimit has at most limit bytes handed out from now on. What was handed out
// beyond it stays until it is given back.
func (b *Blocks) SetLimit(limit int64) {
	b.mu.Lock()
	b.limit = limit
	b.mu.Unlock()
}
