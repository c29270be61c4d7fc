package ladder

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"c1000k/experiments/result"
)

// summary is the line that a step leaves on the terminal.
func (b *backend) summary(s *result.Step) string {
	parts := []string{fmt.Sprintf("%-5s %9s held:", b.name, grouped(s.Target))}
	if s.Memory != nil {
		parts = append(parts, "RES "+size(int64(s.Memory.Resident)))
	}
	if h := result.Headline(s.Memory, s.Connections(), b.empty); h != nil {
		parts = append(parts, fmt.Sprintf("user %.0f B", *h))
	}
	if k := s.Share(); k != nil && s.Target > 0 {
		mark := ""
		if k.Estimated {
			mark = "~"
		}
		parts = append(parts, fmt.Sprintf("kernel %s%.0f B", mark, float64(k.Server)/float64(s.Connections())))
	}
	if s.Opening != nil {
		parts = append(parts, fmt.Sprintf("opened %s/s", grouped(int(s.Opening.Rate))))
	}
	if s.Idle != nil {
		parts = append(parts, fmt.Sprintf("idle %.2f %%", 100*s.Idle.ServerCore))
	}
	if p := s.Push; p != nil && p.ServerCPU != nil {
		parts = append(parts, fmt.Sprintf("push %.1f us", *p.ServerCPU))
	}
	if p := s.Broadcast; p != nil && p.ToLast != nil {
		parts = append(parts, fmt.Sprintf("broadcast %.1f s", *p.ToLast))
	}
	line := strings.Join(parts, "  ")
	if left := b.r.show.remaining(); left > 0 {
		line += fmt.Sprintf("  (%s left)", roughly(left))
	}
	if len(s.Noisy) > 0 {
		line += "\n      not quiet: " + strings.Join(s.Noisy, ", ")
	}
	return line
}

// size words a number of bytes.
func size(n int64) string {
	v := float64(n)
	for _, unit := range []string{"B", "KB", "MB"} {
		if math.Abs(v) < 999.5 {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + " " + unit
		}
		v /= 1000
	}
	return fmt.Sprintf("%.1f GB", v)
}

// arguments are all settings by name, for run.json.
func (o *Options) arguments() map[string]string {
	settle := o.settle()
	return map[string]string{
		"to": strconv.Itoa(o.To), "step": strconv.Itoa(o.Step), "quick": strconv.FormatBool(o.Quick),
		"backends": strings.Join(o.Backends, ","), "push": strconv.Itoa(o.Push), "push-rate": strconv.Itoa(o.PushRate),
		"broadcast-at": strings.Trim(strings.ReplaceAll(fmt.Sprint(o.BroadcastAt), " ", ","), "[]"),
		"broadcasts":   strconv.Itoa(o.Broadcasts),
		"seed":         strconv.FormatUint(o.Seed, 10), "pause": strconv.FormatBool(o.Pause), "expiry": strconv.FormatBool(o.Expiry),
		"expiry-timeout":          o.ExpiryTimeout.String(),
		"subscribers-per-channel": strconv.Itoa(o.SubscribersPerChannel), "prefault": strconv.FormatBool(o.Prefault),
		"loops": strconv.Itoa(o.Loops), "pin": o.Pin, "profile": strconv.FormatBool(o.Profile != ""),
		"idle": o.Idle.String(), "polling-timeout": o.PollingTimeout.String(), "floor": strconv.Itoa(o.FloorCount),
		"settle": fmt.Sprintf("%g %% in %v, at most %v", 100*settle.Change, settle.Window, settle.Longest),
	}
}

// notes are what a reader of the report must know of the settings.
func (o *Options) notes() []string {
	var notes []string
	if o.Quick {
		notes = append(notes, fmt.Sprintf("A quick ladder: idle windows of %v (%v at 0 and at the last step), and memory counts as settled after %v, so its figures are rougher than those of a full one.",
			o.Idle, longIdle*o.Idle, o.settle().Window))
	}
	if o.Profile != "" {
		notes = append(notes, "Profiles were taken in this run after each step's measurements: it is for the profiles, and its later memory and rates are not compared with others.")
	}
	if o.SubscribersPerChannel > 1 {
		notes = append(notes, fmt.Sprintf("%d connections share a channel: a push reaches all of them, and the bytes a connection are not those of a channel of its own.", o.SubscribersPerChannel))
	}
	if o.Pause {
		notes = append(notes, "The run waited for Enter at each step.")
	}
	return notes
}
