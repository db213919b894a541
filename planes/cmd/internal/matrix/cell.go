package matrix

import (
	"github.com/wireplane/wireplane/planes"
	"github.com/wireplane/wireplane/planes/worker"
)

// Cell is one combination.
type Cell struct {
	Request  planes.TransportID `json:"request"`
	Response planes.TransportID `json:"response"`
	// Mode is the call-home mode where Response is planes.TCP, Format the form of the
	// answer where it travels over HTTP.
	Mode   string `json:"mode,omitempty"`
	Format string `json:"format,omitempty"`
	// Excluded says why there is no such combination; "" for those that run.
	Excluded string `json:"excluded,omitempty"`
}

// Pair returns the transports of the cell.
func (c Cell) Pair() worker.Pair { return worker.Pair{Request: c.Request, Response: c.Response} }

// RequestName and ResponseName are what people call the halves.
func (c Cell) RequestName() string { return requestNames[c.Request] }

// ResponseName is what people call the response's half.
func (c Cell) ResponseName() string {
	switch {
	case c.Mode != "":
		return "call-home " + c.Mode
	case c.Response == planes.HTTP:
		return "attached GET, " + formatNames[c.Format]
	case c.Format != "":
		return "exchange, " + formatNames[c.Format]
	}
	return "same stream"
}

var requestNames = map[planes.TransportID]string{
	planes.TCP: "mux TCP", planes.DynamoTCP: "released TCP", planes.HTTP: "HTTP/1.1", planes.H2C: "h2c", planes.NATS: "NATS",
}

var formatNames = map[string]string{"sse": "SSE", "ndjson": "NDJSON", "binary": "binary"}

// Requests are the request transports, in the order of the table.
var Requests = []planes.TransportID{planes.TCP, planes.DynamoTCP, planes.HTTP, planes.H2C, planes.NATS}

// Modes are the call-home modes, Formats the forms of an answer over HTTP.
var (
	Modes   = []string{"single", "pooled", "mux"}
	Formats = []string{"sse", "ndjson", "binary"}
)

// All returns every combination, those that cannot be with the reason.
func All() []Cell {
	var cells []Cell
	for _, q := range Requests {
		switch q { //nolint:exhaustive // Requests has these
		case planes.TCP:
			cells = append(cells, Cell{Request: q, Response: planes.Exchange})
		case planes.HTTP, planes.H2C:
			for _, f := range Formats {
				cells = append(cells, Cell{Request: q, Response: planes.Exchange, Format: f})
			}
		case planes.DynamoTCP:
			cells = append(cells, Cell{Request: q, Response: planes.Exchange,
				Excluded: "a released connection carries acknowledgements towards the router and nothing else"})
		case planes.NATS:
			cells = append(cells, Cell{Request: q, Response: planes.Exchange,
				Excluded: "a NATS reply says that the request was taken; answers never travel on it"})
		}
		cells = append(cells, Cell{Request: q, Response: planes.HTTP, Format: "sse"})
		for _, m := range Modes {
			cells = append(cells, Cell{Request: q, Response: planes.TCP, Mode: m})
		}
	}
	return cells
}
