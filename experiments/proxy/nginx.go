package proxy

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"c1000k/experiments/process"
)

// Nginx is a running nginx. It belongs to one goroutine.
type Nginx struct {
	// Addr is where it listens, HOST:PORT; by the name localhost it shows the
	// certificate that Trust trusts.
	Addr  string
	Trust *x509.CertPool

	process *process.Process
}

// Find looks for nginx. The error says what to install.
func Find() (path string, err error) {
	if path, err = exec.LookPath("nginx"); err == nil {
		return path, nil
	}
	// Where Debian puts it, which is not on everybody's path.
	if path, err = exec.LookPath("/usr/sbin/nginx"); err == nil {
		return path, nil
	}
	return "", errors.New("nginx is not installed (apt-get install nginx-light)")
}

// Start runs nginx on a free port of loopback, with the configuration file that
// is recommended, in a folder of its own, dir, which holds its log too.
func Start(dir, recommended string, tls bool, upstream []string) (*Nginx, error) {
	text, err := os.ReadFile(recommended)
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	conf, err := Render(string(text), Config{Listen: addr, TLS: tls, Upstream: upstream})
	if err != nil {
		return nil, err
	}
	trust, err := Certificate(dir)
	if err != nil {
		return nil, err
	}
	n, err := Run(dir, conf, addr, nil)
	if n != nil {
		n.Trust = trust
	}
	return n, err
}

// Run runs nginx with the configuration conf, which listens on addr among others,
// in a folder of its own, dir, which holds its log too, on the processors of cpus
// (nil: on all).
func Run(dir, conf, addr string, cpus []int) (*Nginx, error) {
	path, err := Find()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	n := &Nginx{Addr: addr}
	log := filepath.Join(dir, "error.log")
	args := []string{"-p", dir, "-c", file, "-e", log, "-g", "daemon off;"}
	n.process, err = process.Start(path, args, filepath.Join(dir, "start.log"), cpus)
	if err != nil {
		return nil, err
	}
	err = n.process.Await(func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	if err != nil {
		words, _ := os.ReadFile(log)
		return nil, errors.Join(fmt.Errorf("nginx does not start: %w: %s", err, words), n.Stop())
	}
	return n, nil
}

// freeAddr is an address of loopback that was free a moment ago.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// PIDs are nginx's processes: the master and its workers.
func (n *Nginx) PIDs() ([]int, error) {
	master := n.process.PID()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", master, master))
	if err != nil {
		return nil, fmt.Errorf("find nginx's workers: %w", err)
	}
	pids := []int{master}
	for _, f := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// Await waits until ready is true; see process.Await.
func (n *Nginx) Await(ready func() bool) error { return n.process.Await(ready) }

// Stop ends nginx with all its connections and returns when it is gone.
func (n *Nginx) Stop() error { return n.process.Stop(nil) }
