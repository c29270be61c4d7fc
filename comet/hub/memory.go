package hub

// ChannelBytes is the memory of the records of the channels there are. Their
// names and histories are told by Usage.
func (h *Hub) ChannelBytes() int64 { return int64(h.chans.Used()) * int64(h.chans.Stride()) }
