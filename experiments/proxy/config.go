package proxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Config is what an nginx of a test has of its own; all else is as recommended.
type Config struct {
	// Listen is the address that clients come to, HOST:PORT.
	Listen string
	// TLS is false for plain HTTP/1.1, to compare with.
	TLS bool
	// Upstream are the addresses of the comet server's front door.
	Upstream []string
}

var (
	listenLine    = regexp.MustCompile(`(?m)^(\s*)listen .*;$`)
	upstreamLines = regexp.MustCompile(`(?m)(^\s*server [0-9.:]+ max_fails=0;\n)+`)
	tlsLines      = regexp.MustCompile(`(?m)^\s*ssl_.*;\n`)
)

// Render puts the addresses of c into the recommended configuration. An error
// says that it has no place for one.
func Render(recommended string, c Config) (string, error) {
	if len(listenLine.FindAllString(recommended, -1)) != 1 || len(upstreamLines.FindAllString(recommended, -1)) != 1 {
		return "", fmt.Errorf("the nginx configuration has not one line to listen by and one list of servers: this package must learn what it has instead")
	}
	listen := c.Listen
	if c.TLS {
		listen += " ssl http2"
	} else {
		recommended = tlsLines.ReplaceAllString(recommended, "")
	}
	var servers strings.Builder
	for _, u := range c.Upstream {
		fmt.Fprintf(&servers, "        server %s max_fails=0;\n", u)
	}
	recommended = listenLine.ReplaceAllString(recommended, "${1}listen "+listen+";")
	return upstreamLines.ReplaceAllLiteralString(recommended, servers.String()), nil
}

// certificateLife is how long a test's certificate is valid.
const certificateLife = 24 * time.Hour

// Certificate writes a self-signed certificate for localhost, cert.pem, and its
// key, key.pem, into dir, and returns what a client must trust.
func Certificate(dir string) (*x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "localhost"},
		DNSNames:     []string{"localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(certificateLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, err
		}
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return pool, nil
}
