package main

import (
	"bytes"
	"io"
	"slices"
)

// reloadable are the settings that change while the server runs.
var reloadable = []string{
	"log-level", "admin-allow", "admin-deny", "trusted-proxies", "drain", "drain-timeout",
	"polling-timeout", "header-timeout", "idle-timeout", "stall-timeout", "admin-secret-file",
	"max-subscribers-per-channel", "max-channels-per-subscription", "max-content-bytes", "max-message-bytes", "channel-buffer-bytes",
}

// reload reads the settings again and puts into force what can change while the
// server runs. An error leaves everything as it was.
func (r *running) reload() {
	next, err := r.in.parse(io.Discard)
	if err != nil {
		r.log.Error("reload: the settings in force stay, for the new ones have an error", "error", err)
		return
	}
	config := next.serviceConfig()
	if err := r.service.SetLimits(config.Limits()); err != nil {
		r.log.Error("reload: the settings in force stay, for the core refuses the new limits", "error", err)
		return
	}
	var taken, left []any
	for i, now := range next.given {
		switch {
		case now.Value == r.options.given[i].Value:
		case slices.Contains(reloadable, now.Name):
			taken = append(taken, now.Name, now.Value)
		default:
			left = append(left, now.Name, now.Value)
		}
	}
	if !bytes.Equal(next.secret, r.options.secret) {
		r.service.SetAdminSecret(next.secret)
		taken = append(taken, "admin-secret", "another")
	}
	r.options = r.options.with(next)
	r.options.setAccess(r.service)
	r.door.tell(r.options)
	// The less is logged, the earlier it must be said.
	if old := r.log.level.Level(); r.options.logLevel() < old {
		r.log.level.Set(r.options.logLevel())
	}
	if len(left) > 0 {
		r.log.Warn("reload: these settings change with a restart alone", left...)
	}
	r.log.Info("reloaded", taken...)
	r.log.level.Set(r.options.logLevel())
}

// with is a copy of o that has the reloadable settings of next.
func (o *options) with(next *options) *options {
	c := *o
	c.LogLevel, c.Drain, c.DrainTimeout = next.LogLevel, next.Drain, next.DrainTimeout
	c.access, c.secret = next.access, next.secret
	c.given = o.given.with(next.given)
	c.inForce = o.inForce.with(next.inForce)
	return &c
}

// with is a copy of s that has the reloadable settings of next.
func (s settings) with(next settings) settings {
	c := slices.Clone(s)
	for i := range c {
		if slices.Contains(reloadable, c[i].Name) {
			c[i] = next[i]
		}
	}
	return c
}
