package result

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Data is a results folder that was read.
type Data struct {
	Path     string
	Run      Run
	Backends []Backend
	Steps    []Step // in the order they were written
	Failures []Failure
	Floors   []Floor
	Machines []Machine
	Expiries []Expiry
	// Responsives are of experiment responsive, a backend each.
	Responsives []Responsive
	// Warnings are what the reader had to leave out, one sentence each.
	Warnings []string
}

// lineLimit bounds one record, so that a foreign file does not fill the memory.
const lineLimit = 16 << 20

// Read reads a results folder. It refuses files that are not of this format or
// of a newer version, naming file and line. A last line that was torn by a
// crash is left out with a warning.
func Read(dir string) (*Data, error) {
	d := &Data{Path: dir}
	if err := readRun(filepath.Join(dir, RunFile), &d.Run); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, DataFile)
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	defer file.Close()
	return d, d.read(path, file)
}

// version is what each line and run.json begin with, whatever their age.
type version struct {
	Version *int `json:"version"`
}

func (v version) check() error {
	switch {
	case v.Version == nil:
		return errors.New("no version field: not a file of this program")
	case *v.Version > Version:
		return fmt.Errorf("version %d is newer than %d, which this program reads: use a newer one", *v.Version, Version)
	case *v.Version < 1:
		return fmt.Errorf("version %d does not exist", *v.Version)
	}
	return nil
}

func decode(data []byte, into any) error {
	var v version
	if err := json.Unmarshal(data, &v); err != nil {
		return fmt.Errorf("not readable as JSON: %w", err)
	}
	if err := v.check(); err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("not a record of version %d: %w", *v.Version, err)
	}
	return nil
}

func readRun(path string, run *Run) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read results: %w", err)
	}
	if err := decode(data, run); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (d *Data) read(path string, r io.Reader) error {
	lines := bufio.NewReaderSize(io.LimitReader(r, 1<<40), 1<<16)
	for number := 1; ; number++ {
		line, err := readLine(lines)
		switch {
		case err == io.EOF && len(line) == 0:
			return nil
		case err == io.EOF:
			d.Warnings = append(d.Warnings, fmt.Sprintf("%s:%d: the last line is torn and was left out", path, number))
			return nil
		case err != nil:
			return fmt.Errorf("%s:%d: %w", path, number, err)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := d.add(line); err != nil {
			return fmt.Errorf("%s:%d: %w", path, number, err)
		}
	}
}

// readLine returns a line without its end, or io.EOF with what follows the
// last line end.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > lineLimit:
			return nil, fmt.Errorf("a line of more than %d bytes", lineLimit)
		case err == nil:
			return line[:len(line)-1], nil
		case err != bufio.ErrBufferFull:
			return line, err
		}
	}
}

func (d *Data) add(line []byte) error {
	var r Record
	if err := decode(line, &r); err != nil {
		return err
	}
	kind, err := r.kind()
	if err != nil {
		return err
	}
	if kind != r.Kind {
		return fmt.Errorf("kind %q on a record of a %s", r.Kind, kind)
	}
	switch kind {
	case KindBackend:
		d.Backends = append(d.Backends, *r.Backend)
	case KindStep:
		d.Steps = append(d.Steps, *r.Step)
	case KindFailure:
		d.Failures = append(d.Failures, *r.Failure)
	case KindFloor:
		d.Floors = append(d.Floors, *r.Floor)
	case KindMachine:
		d.Machines = append(d.Machines, *r.Machine)
	case KindExpiry:
		d.Expiries = append(d.Expiries, *r.Expiry)
	case KindResponsive:
		d.Responsives = append(d.Responsives, *r.Responsive)
	}
	return nil
}

// StepsOf returns the steps of one server process, in order.
func (d *Data) StepsOf(order int) []Step {
	var steps []Step
	for _, s := range d.Steps {
		if s.Order == order {
			steps = append(steps, s)
		}
	}
	return steps
}
