// k8s-sidecar of the lab: keeps files in a folder equal to the ConfigMaps with a label. It stands in for kiwigrid's, which is no
// package that can be had (docs/lab.md), and takes its environment.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

type configMap struct {
	Metadata struct{ Name, Namespace, ResourceVersion string }
	Data     map[string]string
}

type sidecar struct {
	client *http.Client
	api    string
	folder string
	unique bool
	seen   map[string]configMap
	alive  atomic.Int64
}

// get asks the API server; the token is read anew, since it changes.
func (s *sidecar) get(ctx context.Context, query url.Values) (*http.Response, error) {
	token, err := os.ReadFile(account + "token")
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, "GET", s.api+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	answer, err := s.client.Do(request)
	if err == nil && answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		return nil, fmt.Errorf("%s: %s: %.300s", request.URL, answer.Status, text)
	}
	return answer, err
}

func (s *sidecar) file(m configMap, key string) string {
	if s.unique {
		key = fmt.Sprintf("namespace_%s.configmap_%s.%s", m.Metadata.Namespace, m.Metadata.Name, key)
	}
	return filepath.Join(s.folder, filepath.Base(key))
}

// put writes what a ConfigMap holds now, and takes away what it held before; a part of a file is never seen.
func (s *sidecar) put(m configMap, gone bool) error {
	id := m.Metadata.Namespace + "/" + m.Metadata.Name
	for key := range s.seen[id].Data {
		if _, stays := m.Data[key]; gone || !stays {
			if err := os.Remove(s.file(m, key)); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	delete(s.seen, id)
	if gone {
		return nil
	}
	for key, text := range m.Data {
		part := filepath.Join(s.folder, "."+filepath.Base(key)+".part")
		if err := os.WriteFile(part, []byte(text), 0o644); err != nil {
			return err
		}
		if err := os.Rename(part, s.file(m, key)); err != nil {
			return err
		}
	}
	s.seen[id] = m
	log.Printf("%s: %d files", id, len(m.Data))
	return nil
}

// follow lists, and watches until the watch ends.
func (s *sidecar) follow(ctx context.Context, selector string) error {
	answer, err := s.get(ctx, url.Values{"labelSelector": {selector}})
	if err != nil {
		return err
	}
	var list struct {
		Metadata struct{ ResourceVersion string }
		Items    []configMap
	}
	err = json.NewDecoder(answer.Body).Decode(&list)
	answer.Body.Close()
	if err != nil {
		return err
	}
	stands := map[string]bool{}
	for _, m := range list.Items {
		stands[m.Metadata.Namespace+"/"+m.Metadata.Name] = true
		if err := s.put(m, false); err != nil {
			return err
		}
	}
	for id, m := range s.seen {
		if !stands[id] {
			if err := s.put(m, true); err != nil {
				return err
			}
		}
	}
	s.alive.Store(time.Now().Unix())
	watch, err := s.get(ctx, url.Values{"labelSelector": {selector}, "watch": {"true"}, "timeoutSeconds": {"60"}, "resourceVersion": {list.Metadata.ResourceVersion}})
	if err != nil {
		return err
	}
	defer watch.Body.Close()
	for events := json.NewDecoder(watch.Body); ; {
		var event struct {
			Type   string
			Object configMap
		}
		if err := events.Decode(&event); err != nil {
			return nil // its time is over: list again
		}
		if event.Type == "ERROR" {
			return nil
		}
		if err := s.put(event.Object, event.Type == "DELETED"); err != nil {
			return err
		}
	}
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	pem, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	path := "/api/v1/configmaps"
	if namespace := env("NAMESPACE", "ALL"); namespace != "ALL" {
		path = "/api/v1/namespaces/" + namespace + "/configmaps"
	}
	s := &sidecar{
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}},
		api:    "https://" + env("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc") + ":" + env("KUBERNETES_SERVICE_PORT", "443") + path,
		folder: env("FOLDER", "/tmp/"),
		unique: env("UNIQUE_FILENAMES", "false") == "true",
		seen:   map[string]configMap{},
	}
	selector := env("LABEL", "")
	if value := env("LABEL_VALUE", ""); value != "" {
		selector += "=" + value
	}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if time.Now().Unix()-s.alive.Load() > 180 {
			http.Error(w, "the API server has not answered for three minutes", http.StatusServiceUnavailable)
		}
	})
	go func() { log.Fatal(http.ListenAndServe(":"+env("HEALTH_PORT", "8080"), nil)) }()
	for {
		if err := s.follow(context.Background(), selector); err != nil {
			log.Print(err)
			time.Sleep(5 * time.Second)
		}
	}
}
