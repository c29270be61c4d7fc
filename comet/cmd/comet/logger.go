package main

import (
	"io"
	"log/slog"
)

// logger is the log of the server's own life. The loops log nothing: what they
// do is counted.
type logger struct {
	*slog.Logger
	level *slog.LevelVar
}

// newLogger logs to w as the options say.
func newLogger(o *options, w io.Writer) logger {
	level := new(slog.LevelVar)
	level.Set(o.logLevel())
	how := &slog.HandlerOptions{Level: level}
	if o.LogFormat == "json" {
		return logger{slog.New(slog.NewJSONHandler(w, how)), level}
	}
	return logger{slog.New(slog.NewTextHandler(w, how)), level}
}

// logLevel is --log-level, which kong holds to the names that slog knows.
func (o *options) logLevel() (level slog.Level) {
	if err := level.UnmarshalText([]byte(o.LogLevel)); err != nil {
		panic(err) // the struct tag of LogLevel is wrong
	}
	return level
}
