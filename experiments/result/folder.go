package result

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The names of the files in a results folder.
const (
	DataFile    = "data.jsonl"
	RunFile     = "run.json"
	SummaryFile = "summary.csv"
	BenchFile   = "bench.txt"
	HDRFolder   = "hdr"
)

// timestampLayout sorts by name and needs no quoting in a shell.
const timestampLayout = "20060102-150405"

// Folder is a results folder that is being written.
type Folder struct {
	path string
	data *os.File
	// size is the end of the last whole line.
	size int64
}

// Create makes the folder parent/<timestamp>-<name>, and parent where it is
// missing. It fails when the folder exists or cannot be written.
func Create(parent, name string, at time.Time) (*Folder, error) {
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return nil, fmt.Errorf("results folder: %q is no name for a folder", name)
	}
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return nil, fmt.Errorf("results folder %s cannot be made: %w", parent, err)
	}
	path := filepath.Join(parent, at.UTC().Format(timestampLayout)+"-"+name)
	if err := os.Mkdir(path, 0o777); err != nil {
		return nil, fmt.Errorf("results folder cannot be made: %w", err)
	}
	data, err := os.OpenFile(filepath.Join(path, DataFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("results folder %s cannot be written: %w", path, err)
	}
	return &Folder{path: path, data: data}, nil
}

// Path is the folder's path.
func (f *Folder) Path() string { return f.path }

// Append writes one record as a line and syncs it to disk. On an error nothing
// of the record remains, and what was written before is whole.
func (f *Folder) Append(r Record) error {
	r.Version = Version
	if r.At.IsZero() {
		r.At = time.Now().UTC()
	}
	kind, err := r.kind()
	if err != nil {
		return fmt.Errorf("write %s: %w", f.data.Name(), err)
	}
	r.Kind = kind
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write %s: %w", f.data.Name(), err)
	}
	line = append(line, '\n')
	if _, err := f.data.WriteAt(line, f.size); err != nil {
		return f.undo(err)
	}
	if err := f.data.Sync(); err != nil {
		return f.undo(err)
	}
	f.size += int64(len(line))
	return nil
}

// undo cuts off what was written of a line that did not fit.
func (f *Folder) undo(err error) error {
	if cut := f.data.Truncate(f.size); cut != nil {
		return fmt.Errorf("write %s: %w (and its torn last line could not be removed: %v)", f.data.Name(), err, cut)
	}
	return fmt.Errorf("write %s: %w (what was written before is kept)", f.data.Name(), err)
}

// kind finds the one part of the record that is set.
func (r Record) kind() (Kind, error) {
	var kinds []Kind
	for _, part := range []struct {
		kind Kind
		set  bool
	}{
		{KindBackend, r.Backend != nil}, {KindStep, r.Step != nil}, {KindFailure, r.Failure != nil},
		{KindFloor, r.Floor != nil}, {KindMachine, r.Machine != nil}, {KindExpiry, r.Expiry != nil},
		{KindResponsive, r.Responsive != nil},
	} {
		if part.set {
			kinds = append(kinds, part.kind)
		}
	}
	if len(kinds) != 1 {
		return "", fmt.Errorf("a record has one part, not %d", len(kinds))
	}
	return kinds[0], nil
}

// WriteRun writes run.json anew: at the start of a run and again at its end.
// The file is whole at each moment.
func (f *Folder) WriteRun(run Run) error {
	run.Version = Version
	return WriteFile(filepath.Join(f.path, RunFile), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(run)
	})
}

// WriteHistogram keeps a whole histogram of microseconds as hdr/<name>.hlog and
// returns that relative name, for Phase.HDR. start and end are the time that
// the histogram covers.
func (f *Folder) WriteHistogram(name string, h *hdrhistogram.Histogram, start, end time.Time) (string, error) {
	if err := os.MkdirAll(filepath.Join(f.path, HDRFolder), 0o777); err != nil {
		return "", fmt.Errorf("write histogram: %w", err)
	}
	relative := HDRFolder + "/" + name + ".hlog"
	err := WriteFile(filepath.Join(f.path, relative), func(w io.Writer) error { return writeLog(w, h, start, end) })
	return relative, err
}

func writeLog(w io.Writer, h *hdrhistogram.Histogram, start, end time.Time) error {
	h.SetStartTimeMs(start.UnixMilli())
	h.SetEndTimeMs(end.UnixMilli())
	log := hdrhistogram.NewHistogramLogWriter(w)
	if err := log.OutputLogFormatVersion(); err != nil {
		return err
	}
	if err := log.OutputStartTime(start.UnixMilli()); err != nil {
		return err
	}
	if err := log.OutputLegend(); err != nil {
		return err
	}
	return log.OutputIntervalHistogram(h)
}

// Close closes the data file; the folder stays.
func (f *Folder) Close() error { return f.data.Close() }

// WriteFile writes a file whole or not at all: beside its name first, synced,
// then renamed.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	temporary := path + ".part"
	file, err := os.Create(temporary)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(temporary)
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	buffered := bufio.NewWriter(file)
	if err := errors.Join(write(buffered), buffered.Flush()); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
