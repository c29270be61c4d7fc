package hub

import "sync/atomic"

// limits are the parts of Config that change while channels are served.
type limits struct {
	subscribers                atomic.Int64 // Config.MaxSubscribers
	channelBytes, messageBytes atomic.Int64
}

// SetLimits puts others in the place of Config's MaxSubscribers, ChannelBytes and
// MessageBytes. Who subscribed stays; histories that are too long shrink as
// messages come.
func (h *Hub) SetLimits(maxSubscribers int, channelBytes, messageBytes int64) {
	h.limits.subscribers.Store(int64(maxSubscribers))
	h.limits.channelBytes.Store(channelBytes)
	h.limits.messageBytes.Store(messageBytes)
	h.msgs.SetLimit(messageBytes)
}
