package ablation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"c1000k/experiments/result"
	"c1000k/experiments/sample"
)

// version counts up when a field changes its meaning.
const version = 1

// DataFile is the name of the raw data in the results folder.
const DataFile = result.DataFile

// Record is one line of the data: one of its parts, the header first.
type Record struct {
	Version int           `json:"version"`
	At      time.Time     `json:"at"`
	Header  *Header       `json:"header,omitempty"`
	Bare    *result.Floor `json:"bare,omitempty"`
	Cell    *Cell         `json:"cell,omitempty"`
	Failed  *Failed       `json:"failed,omitempty"`
}

// Header says what a run is.
type Header struct {
	Settings
	LeftOut []string `json:"left_out,omitempty"`
	// Order is that of the subjects in a round: drawn; empty, in runs from before: there
	// and back in turn.
	Order string `json:"order,omitempty"`
	// Hypotheses are those of the switches as they were when the run began.
	Hypotheses  []Hypothesis `json:"hypotheses"`
	ServerHash  string       `json:"server_sha256"`
	PlantedHash string       `json:"planted_server_sha256,omitempty"`
	ProgramHash string       `json:"experiment_sha256"`
	// Configs are the files of settings that subjects name, as they were.
	Configs       map[string]string  `json:"configs,omitempty"`
	ServerCommand []string           `json:"server_command"` // of the first subject, without its doors
	Environment   sample.Environment `json:"environment"`
}

// drawn says that each round's order was drawn by lot.
const drawn = "drawn"

// Hypothesis is what was expected of a switch.
type Hypothesis struct {
	Switch string `json:"switch"`
	Values string `json:"values"` // the default first
	Text   string `json:"text"`
}

// Failed is a cell that could not be measured.
type Failed struct {
	Size    int    `json:"connections"`
	Round   int    `json:"round"`
	Place   int    `json:"place"`
	Subject string `json:"subject"`
	// Refused: the server did not start, and is not asked again at this size.
	Refused bool   `json:"refused"`
	Reason  string `json:"reason"`
}

// Data is what was measured in a run.
type Data struct {
	Header
	Cells  []Cell
	Bares  []result.Floor
	Failed []Failed
	// Began and Ended are the times of the first and the last record.
	Began, Ended time.Time

	whole int64 // bytes of whole lines
}

// bare is the bare accept loop of a size; nil if it was not measured.
func (d *Data) bare(size int) *result.Floor {
	for i := range d.Bares {
		if d.Bares[i].Count == int64(size) {
			return &d.Bares[i]
		}
	}
	return nil
}

// Broken says that cells are missing that failed, other than by a refusal.
func (d *Data) Broken() bool {
	return slices.ContainsFunc(d.Failed, func(f Failed) bool { return !d.done(f.Size, f.Round, f.Place) })
}

// done says whether a cell needs no measurement any more.
func (d *Data) done(size, round, place int) bool {
	return slices.ContainsFunc(d.Cells, func(c Cell) bool { return c.Size == size && c.Round == round && c.Place == place }) ||
		d.refused(size, place) != ""
}

// refused is why the server does not start with a subject at a size; "" if it does.
func (d *Data) refused(size, place int) string {
	for _, f := range d.Failed {
		if f.Refused && f.Size == size && d.Subjects[f.Place] == d.Subjects[place] {
			return f.Reason
		}
	}
	return ""
}

// Read reads a folder's data. A last line that was torn is left out.
func Read(dir string) (*Data, error) {
	path := filepath.Join(dir, DataFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := &Data{}
	for number := 1; ; number++ {
		line, rest, ok := bytes.Cut(text, []byte("\n"))
		if !ok {
			break
		}
		if err := d.add(line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, number, err)
		}
		d.whole += int64(len(line)) + 1
		text = rest
	}
	if d.Began.IsZero() {
		return nil, fmt.Errorf("%s has no header", path)
	}
	return d, nil
}

func (d *Data) add(line []byte) error {
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	if r.Version != version {
		return fmt.Errorf("the data has version %d, this program reads %d", r.Version, version)
	}
	if (r.Header != nil) != d.Began.IsZero() {
		return errors.New("the header is to be the first line, and no other")
	}
	d.Ended = r.At
	switch {
	case r.Header != nil:
		d.Header, d.Began = *r.Header, r.At
	case r.Bare != nil:
		d.Bares = append(d.Bares, *r.Bare)
	case r.Cell != nil:
		if r.Cell.Place < 0 || r.Cell.Place >= len(d.Subjects) {
			return fmt.Errorf("place %d is none of the subjects'", r.Cell.Place)
		}
		d.Cells = append(d.Cells, *r.Cell)
	case r.Failed != nil:
		if r.Failed.Place < 0 || r.Failed.Place >= len(d.Subjects) {
			return fmt.Errorf("place %d is none of the subjects'", r.Failed.Place)
		}
		d.Failed = append(d.Failed, *r.Failed)
	default:
		return errors.New("a record of nothing")
	}
	return nil
}

// log appends records to a file, each at once and whole.
type log struct {
	file *os.File
	data *Data // what is in it
}

// newLog begins the data of a run.
func newLog(dir string, h Header) (*log, error) {
	file, err := os.OpenFile(filepath.Join(dir, DataFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	l := &log{file: file, data: &Data{}}
	return l, l.keep(Record{Header: &h})
}

// openLog goes on with the data of a run that has this header, and tells what
// differs where it has another.
func openLog(dir string, h Header) (*log, error) {
	d, err := Read(dir)
	if err != nil {
		return nil, err
	}
	if err := d.Header.same(h); err != nil {
		return nil, fmt.Errorf("%s cannot be gone on with: %w", dir, err)
	}
	file, err := os.OpenFile(filepath.Join(dir, DataFile), os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	// A torn line goes.
	if err := file.Truncate(d.whole); err != nil {
		return nil, err
	}
	if _, err := file.Seek(d.whole, 0); err != nil {
		return nil, err
	}
	return &log{file: file, data: d}, nil
}

// same says what of a run is not as it was.
func (h *Header) same(now Header) error {
	if was, is := mustJSON(h.Settings), mustJSON(now.Settings); was != is {
		return fmt.Errorf("the settings were %s and are %s", was, is)
	}
	for path, is := range now.Configs {
		if h.Configs[path] != is {
			return fmt.Errorf("the settings in %s are others than when the run began", path)
		}
	}
	for _, c := range []struct{ what, was, is string }{
		{"server", h.ServerHash, now.ServerHash},
		{"server with planted costs", h.PlantedHash, now.PlantedHash},
		{"experiment", h.ProgramHash, now.ProgramHash},
		{"kernel", h.Environment.Kernel, now.Environment.Kernel},
		{"processor", h.Environment.CPU.Model, now.Environment.CPU.Model},
	} {
		if c.was != c.is {
			return fmt.Errorf("the %s is another: %s, and was %s", c.what, c.is, c.was)
		}
	}
	return nil
}

func mustJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain fields
	}
	return string(text)
}

// keep writes a record.
func (l *log) keep(r Record) error {
	r.Version, r.At = version, time.Now().UTC()
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	return l.data.add(line)
}
