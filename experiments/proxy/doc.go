// Package proxy runs nginx before a comet server, with the configuration that
// this repository recommends, and measures what a held connection costs there
// with and without TLS. It is Linux only and keeps to loopback.
package proxy
