package main

import (
	"embed"
	"net/http"
)

// The dashboard is one page at the debug door's root which shows what /metrics has.

//go:embed dashboard
var dashboard embed.FS

// dashboardPolicy has the page load nothing from elsewhere, and nobody frame it.
const dashboardPolicy = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"

func dashboardRoutes(mux *http.ServeMux) {
	for path, file := range map[string]string{"GET /{$}": "index.html", "GET /dashboard.js": "dashboard.js", "GET /dashboard.css": "dashboard.css"} {
		body, err := dashboard.ReadFile("dashboard/" + file)
		if err != nil {
			panic(err) // it is in the program
		}
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { writeFile(w, file, body, dashboardPolicy) })
	}
}
