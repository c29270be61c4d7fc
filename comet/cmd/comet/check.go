package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"c1000k/comet"
	"c1000k/comet/access"
	"c1000k/comet/hub"
	"c1000k/comet/wire"
)

const (
	// maxLoops is what a channel's mask of loops has bits for.
	maxLoops = hub.MaxLoops
	// maxChannels bounds the address space that is reserved at start.
	maxChannels = 1 << 27
	// maxConnections is what 24-bit loops and slots address with room to spare.
	maxConnections = 1 << 27
	// adminReserve is the part of --max-connections that is kept for publishers.
	adminReserve = 64
	// leastConnections is the default of --max-connections for few channels.
	leastConnections = 1024
	// minTableLimit leaves a table room for its doors and a few connections.
	minTableLimit = 32
	// minTimeout is the shortest timeout; the longest is the core's.
	minTimeout = time.Millisecond
	// maxSecretBytes bounds the file of --admin-secret-file.
	maxSecretBytes = 4096
)

// bad is an error about one setting: the flag, its value and where that stands,
// then what is wrong with it.
func (o *options) bad(flag string, value any, format string, a ...any) error {
	return fmt.Errorf("--%s=%v%s: %w", flag, value, o.sources.place(flag), fmt.Errorf(format, a...))
}

// check tests every value and fills in what depends on others. It reads the
// files that are named and touches nothing else outside the options.
func (o *options) check() error {
	o.Loops = strings.ToLower(o.Loops)
	if o.Loops != "auto" {
		n, err := strconv.Atoi(o.Loops)
		if err != nil || n < 1 || n > maxLoops {
			return o.bad("loops", o.Loops, "want auto or a number from 1 to %d", maxLoops)
		}
		o.loops = n
	}
	if o.Uring != "" {
		if err := o.uring.Set(o.Uring); err != nil {
			return o.bad("uring", o.Uring, "%w", err)
		}
	}
	if o.Epoll != "" {
		if err := o.epoll.Set(o.Epoll); err != nil {
			return o.bad("epoll", o.Epoll, "%w", err)
		}
	}
	if o.Seed == 0 {
		o.Seed = drawSeed()
	}
	o.sizeAsked = o.MaxConnections != 0
	if !o.sizeAsked {
		o.MaxConnections = max(min(o.Channels, maxConnections-adminReserve)+adminReserve, leastConnections)
	}
	if err := o.checkNumbers(); err != nil {
		return err
	}
	if err := o.checkTimeouts(); err != nil {
		return err
	}
	if err := o.checkWho(); err != nil {
		return err
	}
	return o.checkDoors()
}

// checkNumbers holds every number to its range.
func (o *options) checkNumbers() error {
	for _, n := range []struct {
		flag       string
		value      int64
		low, high  int64
		zeroIsNone bool
	}{
		{flag: "channels", value: int64(o.Channels), low: 0, high: maxChannels},
		{flag: "max-connections", value: int64(o.MaxConnections), low: adminReserve + 1, high: maxConnections},
		{flag: "max-subscribers-per-channel", value: int64(o.MaxSubscribersPerChannel), low: 0, high: math.MaxInt32},
		{flag: "max-channels-per-subscription", value: int64(o.MaxChannelsPerSubscription), low: 1, high: comet.MaxChannelsPerSubscription},
		{flag: "channel-buffer-size", value: int64(o.ChannelBufferSize), low: 0, high: hub.MaxHistory},
		{flag: "channel-buffer-bytes", value: o.ChannelBufferBytes, low: 0, high: math.MaxInt64},
		{flag: "max-content-bytes", value: int64(o.MaxContentBytes), low: 1, high: comet.MaxContentBytes},
		// Less would refuse messages that --max-content-bytes promises to take.
		{flag: "max-message-bytes", value: o.MaxMessageBytes, low: int64(o.MaxContentBytes), high: math.MaxInt64},
		{flag: "table-limit", value: int64(o.TableLimit), low: minTableLimit, high: math.MaxInt32, zeroIsNone: true},
	} {
		if n.zeroIsNone && n.value == 0 {
			continue
		}
		if n.value < n.low || n.value > n.high {
			return o.bad(n.flag, n.value, "want a number from %d to %d", n.low, n.high)
		}
	}
	return nil
}

// checkTimeouts holds every timeout to what the core's timers can count.
func (o *options) checkTimeouts() error {
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{
		{"channel-timeout", o.ChannelTimeout},
		{"polling-timeout", o.PollingTimeout},
		{"header-timeout", o.HeaderTimeout},
		{"idle-timeout", o.IdleTimeout},
		{"stall-timeout", o.StallTimeout},
	} {
		if d.value < minTimeout || d.value > comet.MaxTimeout {
			return o.bad(d.flag, d.value, "want a duration from %v to %v", minTimeout, comet.MaxTimeout)
		}
	}
	if d := o.DrainTimeout; d < 0 || d > comet.MaxTimeout {
		return o.bad("drain-timeout", d, "want a duration up to %v, or 0 for none", comet.MaxTimeout)
	}
	return nil
}

// checkWho reads the address lists and the publishers' secret.
func (o *options) checkWho() error {
	if !wire.ValidOrigin(o.CorsOrigin) {
		return o.bad("cors-origin", o.CorsOrigin, "want * or an origin as scheme://host[:port]")
	}
	var err error
	if o.access, err = o.parseAccess(); err != nil || o.AdminSecretFile == "" {
		return err
	}
	text, err := readBounded(o.AdminSecretFile, maxSecretBytes)
	if err != nil {
		return o.bad("admin-secret-file", o.AdminSecretFile, "%w", err)
	}
	o.secret = bytes.TrimRight([]byte(text), " \t\r\n")
	if len(o.secret) == 0 {
		return o.bad("admin-secret-file", o.AdminSecretFile, "the file is empty: nobody could publish")
	}
	for _, c := range o.secret {
		if c <= ' ' || c > '~' {
			return o.bad("admin-secret-file", o.AdminSecretFile, "a secret is one word of printable ASCII, as a header can carry it")
		}
	}
	return nil
}

// parseAccess reads the three address lists; nil where all are empty.
func (o *options) parseAccess() (*access.List, error) {
	allow, err := access.ParsePrefixes(o.AdminAllow)
	if err != nil {
		return nil, o.bad("admin-allow", o.AdminAllow, "%w", err)
	}
	deny, err := access.ParsePrefixes(o.AdminDeny)
	if err != nil {
		return nil, o.bad("admin-deny", o.AdminDeny, "%w", err)
	}
	trusted, err := access.ParsePrefixes(o.TrustedProxies)
	if err != nil {
		return nil, o.bad("trusted-proxies", o.TrustedProxies, "%w", err)
	}
	if len(allow)+len(deny)+len(trusted) == 0 {
		return nil, nil
	}
	list, err := access.New(allow, deny, trusted)
	if err != nil {
		return nil, o.bad("admin-deny", o.AdminDeny, "%w", err)
	}
	return list, nil
}

// drawSeed draws a seed that is not 0. It comes from the kernel: whoever knows it
// can choose names that collide.
func drawSeed() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:]) | 1
}
