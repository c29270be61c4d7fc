package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"c1000k/comet"
)

// build says which program this is. The version comes from the source, the rest
// from what the go command recorded: nothing is set by the linker, whose flags
// are spoken for.
type build struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Revision string `json:"revision"` // empty where the build was not stamped
	Modified bool   `json:"modified"` // the tree had uncommitted changes
	Giouring string `json:"giouring"`
	Platform string `json:"platform"`
}

func readBuild() build {
	b := build{
		Version:  comet.DefaultConfig().Version,
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	for _, d := range info.Deps {
		if d.Path == "github.com/pawelgaczynski/giouring" {
			b.Giouring = d.Version
		}
	}
	return b
}

func versionLine() string {
	b := readBuild()
	line := fmt.Sprintf("comet %s, %s %s", b.Version, b.Go, b.Platform)
	if b.Revision != "" {
		line += ", revision " + b.Revision
		if b.Modified {
			line += " with changes"
		}
	}
	return line
}
