package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// cloud is one project of an OpenStack, by an application credential.
type cloud struct {
	authURL, region, id, secret string
	client                      *http.Client

	mu      sync.Mutex
	token   string
	catalog map[string]string
}

// apiError is an answer that is none of 2xx.
type apiError struct {
	status int
	text   string
}

func (e *apiError) Error() string { return e.text }

func isStatus(err error, codes ...int) bool {
	var e *apiError
	if errors.As(err, &e) {
		for _, c := range codes {
			if e.status == c {
				return true
			}
		}
	}
	return false
}

// newCloud reads [Global] of some cloud.conf.
func newCloud(files []string) (*cloud, error) {
	global := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		section := ""
		for _, line := range strings.Split(string(text), "\n") {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "[") {
				section = strings.ToLower(strings.Trim(line, "[]"))
			} else if key, value, found := strings.Cut(line, "="); found && section == "global" {
				global[strings.ToLower(strings.TrimSpace(key))] = strings.Trim(strings.TrimSpace(value), `"`)
			}
		}
	}
	c := &cloud{authURL: strings.TrimSuffix(global["auth-url"], "/"), region: global["region"],
		id: global["application-credential-id"], secret: global["application-credential-secret"]}
	if c.authURL == "" || c.id == "" || c.secret == "" {
		return nil, fmt.Errorf("%v: [Global] needs auth-url, application-credential-id and application-credential-secret", files)
	}
	trust := &tls.Config{}
	if ca := global["ca-file"]; ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		trust.RootCAs = x509.NewCertPool()
		trust.RootCAs.AppendCertsFromPEM(pem)
	}
	c.client = &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{TLSClientConfig: trust}}
	return c, nil
}

func (c *cloud) send(ctx context.Context, method, url, token string, in, out any) (http.Header, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	if in == nil {
		body = nil
	}
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("OpenStack-API-Version", "volume 3.44")
	if token != "" {
		request.Header.Set("X-Auth-Token", token)
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= 300 {
		return nil, &apiError{answer.StatusCode, fmt.Sprintf("%s %s: %s: %.300s", method, url, answer.Status, text)}
	}
	if out != nil {
		err = json.Unmarshal(text, out)
	}
	return answer.Header, err
}

func (c *cloud) login(ctx context.Context) error {
	var answer struct {
		Token struct {
			Catalog []struct {
				Type      string
				Endpoints []struct{ Interface, Region, URL string }
			}
		}
	}
	credential := map[string]string{"id": c.id, "secret": c.secret}
	header, err := c.send(ctx, "POST", c.authURL+"/auth/tokens", "", map[string]any{"auth": map[string]any{
		"identity": map[string]any{"methods": []string{"application_credential"}, "application_credential": credential}}}, &answer)
	if err != nil {
		return fmt.Errorf("keystone: %w", err)
	}
	c.token, c.catalog = header.Get("X-Subject-Token"), map[string]string{}
	for _, service := range answer.Token.Catalog {
		for _, e := range service.Endpoints {
			if e.Interface == "public" && (c.region == "" || e.Region == c.region) {
				c.catalog[service.Type] = strings.TrimSuffix(e.URL, "/")
			}
		}
	}
	return nil
}

// call sends to a service of the catalogue, and logs in where the token is not good any more.
func (c *cloud) call(ctx context.Context, service, method, path string, in, out any) error {
	for attempt := 0; ; attempt++ {
		c.mu.Lock()
		if c.token == "" || attempt > 0 {
			if err := c.login(ctx); err != nil {
				c.mu.Unlock()
				return status.Error(codes.Unavailable, err.Error())
			}
		}
		token, base := c.token, c.catalog[service]
		c.mu.Unlock()
		if base == "" {
			return status.Errorf(codes.Unavailable, "the catalogue has no %s in region %q", service, c.region)
		}
		_, err := c.send(ctx, method, base+path, token, in, out)
		if attempt == 0 && isStatus(err, http.StatusUnauthorized) {
			continue
		}
		return err
	}
}

// until calls probe until it says yes, every 300 ms; the call's own deadline, or two minutes, end it.
func until(ctx context.Context, what string, probe func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		if done, err := probe(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return status.Errorf(codes.DeadlineExceeded, "%s: not yet", what)
		case <-time.After(300 * time.Millisecond):
		}
	}
}

type attachment struct {
	ServerID string `json:"server_id"`
	Device   string `json:"device"`
}

type volume struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Size        int64             `json:"size"`
	Status      string            `json:"status"`
	Zone        string            `json:"availability_zone"`
	SnapshotID  string            `json:"snapshot_id"`
	SourceID    string            `json:"source_volid"`
	Attachments []attachment      `json:"attachments"`
	Metadata    map[string]string `json:"metadata"`
}

type snapshot struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	VolumeID string `json:"volume_id"`
	Size     int64  `json:"size"`
	Status   string `json:"status"`
	Created  string `json:"created_at"`
}

const blockStorage, compute = "volumev3", "compute"

func (c *cloud) volume(ctx context.Context, id string) (*volume, error) {
	var answer struct{ Volume volume }
	err := c.call(ctx, blockStorage, "GET", "/volumes/"+id, nil, &answer)
	if isStatus(err, http.StatusNotFound, http.StatusBadRequest) {
		return nil, status.Errorf(codes.NotFound, "there is no volume %s", id)
	}
	return &answer.Volume, err
}

// settled waits until a volume is in one of these states.
func (c *cloud) settled(ctx context.Context, id string, states ...string) (*volume, error) {
	var v *volume
	err := until(ctx, "volume "+id+" "+strings.Join(states, " or "), func() (done bool, err error) {
		if v, err = c.volume(ctx, id); err != nil {
			return false, err
		}
		if strings.HasPrefix(v.Status, "error") {
			return false, status.Errorf(codes.Internal, "volume %s is in state %s", id, v.Status)
		}
		for _, s := range states {
			done = done || v.Status == s
		}
		return done, nil
	})
	return v, err
}
