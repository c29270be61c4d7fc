package main

import (
	"fmt"
	"os"
	"path/filepath"

	"c1000k/experiments/report"
)

// reportCommand are the flags of experiment report.
type reportCommand struct {
	Dir string `arg:"" help:"A results folder."`
}

// Run makes the report anew.
func (c *reportCommand) Run(e *environment) error {
	if st, err := os.Stat(c.Dir); err != nil {
		return usageError{err}
	} else if !st.IsDir() {
		return usageError{fmt.Errorf("%s is no folder", c.Dir)}
	}
	made, err := report.Generate(c.Dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, made.Terminal)
	for _, f := range made.Files {
		fmt.Fprintln(e.stdout, "wrote", filepath.Join(c.Dir, f))
	}
	return nil
}
