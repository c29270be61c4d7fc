// Package process starts a server for an experiment, finds ports for its doors,
// asks them, and ends it. What went wrong is told with the server's last lines.
//
// Everything is on loopback. A server gets SIGTERM when its experiment is killed,
// and does not outlive it.
package process
