package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"c1000k/experiments/fdtable"
	"c1000k/experiments/process"
	"c1000k/experiments/proxy"
)

// errNotInstalled names what to install; the program does not do it.
var errNotInstalled = errors.New("nchan is not installed (apt-get install --no-install-recommends libnginx-mod-nchan)")

// moduleName is nchan's file in the folder of nginx's modules.
const moduleName = "ngx_nchan_module.so"

var modulesPath = regexp.MustCompile(`--modules-path=(\S+)`)

// FindNchan finds nchan's module beside nginx. The error says what to install.
func FindNchan() (module string, err error) {
	nginx, err := proxy.Find()
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNotInstalled, err)
	}
	said, err := exec.Command(nginx, "-V").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s -V: %w", nginx, err)
	}
	return findModule(string(said))
}

// findModule looks where nginx says that its modules are.
func findModule(said string) (module string, err error) {
	m := modulesPath.FindStringSubmatch(said)
	if m == nil {
		return "", fmt.Errorf("%w: nginx tells no folder of modules", errNotInstalled)
	}
	module = filepath.Join(m[1], moduleName)
	if _, err := os.Stat(module); err != nil {
		return "", fmt.Errorf("%w: there is no %s", errNotInstalled, module)
	}
	return module, nil
}

// workerSpare is how many connections nginx may hold beside the load's: its own
// listeners among them.
const workerSpare = 512

// workerConnections is how many connections a worker is told to have, so that it
// holds n. When a sixteenth are left it closes those that wait for a request.
func workerConnections(n int) int { return n + n/8 + workerSpare }

// NchanConfig writes the configuration of an nginx with nchan: one worker with room
// for so many connections behind the doors. Which settings were chosen and why is in
// experiments/specs/E06-peers.md.
func NchanConfig(module string, d process.Doors, connections int) (string, error) {
	as := ""
	if os.Geteuid() == 0 { // else nginx cannot change it
		u, err := user.Current()
		if err != nil {
			return "", err
		}
		as = "user " + u.Username + ";\n"
	}
	_, most := fdtable.Limit()
	workers := workerConnections(connections)
	return fmt.Sprintf(`load_module %s;
%sworker_processes 1;
worker_rlimit_nofile %d;
pid nginx.pid;
error_log stderr crit;

events {
    use epoll;
    multi_accept on;
    worker_connections %d;
}

http {
    access_log off;
    server_tokens off;
    keepalive_requests 1000000000;
    keepalive_timeout 1d;
    client_body_buffer_size 4k;
    client_body_in_single_buffer on;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    nchan_shared_memory_size 512M;

    server {
        listen %s backlog=4096;
        listen %s backlog=4096;

        location = /sub {
            nchan_subscriber longpoll;
            nchan_channel_id $arg_cname;
            nchan_subscriber_compound_etag_message_id on;
            nchan_subscriber_timeout 0;
        }
        location = /pub {
            nchan_publisher http;
            nchan_channel_id $arg_cname;
            nchan_message_buffer_length 10;
            nchan_message_timeout 0;
        }
        location = /status {
            nchan_stub_status;
        }
    }
}
`, module, as, min(most, workers), workers, d.AdminAddr(), d.FrontFlag()), nil
}

// status is what nchan's status page tells.
type status struct {
	Subscribers, Channels int
	Version               string
}

// askStatus reads nchan's status page.
func askStatus(ctx context.Context, d process.Doors) (status, error) {
	body, err := process.Get(ctx, "http://"+d.AdminAddr()+"/status")
	if err != nil {
		return status{}, err
	}
	return parseStatus(string(body))
}

// parseStatus reads the lines "NAME: VALUE" of a status page.
func parseStatus(page string) (s status, err error) {
	values := map[string]string{}
	for line := range strings.Lines(page) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			values[name] = strings.TrimSpace(value)
		}
	}
	s.Version = values["nchan version"]
	for name, to := range map[string]*int{"subscribers": &s.Subscribers, "channels": &s.Channels} {
		if *to, err = strconv.Atoi(values[name]); err != nil {
			return s, fmt.Errorf("nchan's status tells no number of %s: %w", name, err)
		}
	}
	return s, nil
}

// channel is what nchan tells of one channel.
type channel struct {
	Messages    int `json:"messages"`
	Subscribers int `json:"subscribers"`
}

// askChannel reads nchan's information on a channel, which must exist.
func askChannel(ctx context.Context, d process.Doors, name string) (c channel, err error) {
	body, err := process.GetJSON(ctx, "http://"+d.AdminAddr()+"/pub?cname="+name)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return c, fmt.Errorf("nchan tells %q of channel %s: %w", body, name, err)
	}
	return c, nil
}
