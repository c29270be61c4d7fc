// Package report turns a results folder into what people read: report.md, the
// same tables for a terminal, figures as SVG, and the files other programs
// read (summary.csv, bench.txt). Everything is made anew from data.jsonl and
// run.json by one function, Generate, and the same data gives the same bytes.
//
// A ladder is one run: the report prints values, no verdicts. What was not
// measured is printed as a dash, what the kernel did not tell exactly with a
// tilde, and every memory table ends in a column user + kernel, because a
// connection that is cheap in one can be dear in the other.
//
// Caveats are printed where they apply, below the table: whose CPU loopback
// charges to whom, which rates the load may have bounded, and why reserved
// address space is not the article's VIRT.
package report
