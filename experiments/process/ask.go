package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// maxReply bounds what is read of a reply of the server's doors, in bytes.
const maxReply = 1 << 20

// AskPatience is how long a door may take to answer a short question. A loop in
// the middle of a broadcast to a million answers late.
const AskPatience = 30 * time.Second

// readyPatience is how long a server may take from its start to its first
// answer; --prefault touches all its memory before.
const readyPatience = 60 * time.Second

// readyPoll is the time between two questions whether a server answers yet.
const readyPoll = 20 * time.Millisecond

// Info is what the admin door tells by /info.
type Info struct {
	Version     string `json:"version"`
	Channels    int    `json:"channels"`
	Subscribers int    `json:"subscribers"`
}

// client asks the admin and the debug door. Connections are closed after each
// answer, so that they are not among those counted.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil}}

// Get reads one page of a door.
func Get(ctx context.Context, url string) ([]byte, error) { return get(ctx, url, "") }

// GetJSON reads one page of a door that has it in more than one form.
func GetJSON(ctx context.Context, url string) ([]byte, error) {
	return get(ctx, url, "application/json")
}

func get(ctx context.Context, url, accept string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, AskPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", url, resp.Status, strings.TrimSpace(string(body)))
	}
	return body, nil
}

// AskInfo asks the server with this admin door how many subscribers it holds.
func AskInfo(ctx context.Context, admin string) (Info, error) {
	body, err := Get(ctx, "http://"+admin+"/info")
	if err != nil {
		return Info{}, err
	}
	var i Info
	if err := json.Unmarshal(body, &i); err != nil {
		return Info{}, fmt.Errorf("/info answers %q: %w", body, err)
	}
	return i, nil
}

// WaitReady waits until the server answers. The context ends with the server.
func WaitReady(ctx context.Context, d Doors) error {
	start := time.Now()
	for {
		if _, err := AskInfo(ctx, d.AdminAddr()); err == nil {
			return nil
		} else if time.Since(start) > readyPatience {
			return fmt.Errorf("the server did not answer within %v: %w", readyPatience, err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(readyPoll):
		}
	}
}

// Download keeps what a debug page gives, whole, in a file. A broken download
// leaves no file.
func Download(ctx context.Context, url, path string) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
		return fmt.Errorf("%s: %s: %s", url, resp.Status, strings.TrimSpace(string(text)))
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			os.Remove(path)
		}
	}()
	if _, err := io.Copy(f, resp.Body); err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	return nil
}
