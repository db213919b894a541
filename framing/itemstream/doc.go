// Package itemstream writes and reads an answer of any number of items, followed by
// one terminal, as server-sent events, as JSON lines, or in a binary form. It does no
// I/O.
//
// Items are bytes, and come out as they went in. The terminal is End or Failure; both
// carry how many items and bytes there were. A stream without a terminal, or whose
// totals or indices do not add up, is an error and never a clean end.
//
// Server-sent events ([SSE]; text/event-stream): an item that is UTF-8 without a
// carriage return is an event of the default type, one data line for each of its
// lines; so JSON stands inline. Any other has the type "base64". The id is the index.
//
//	id: 0
//	data: Hello
//
//	id: 1
//	event: base64
//	data: AAECAw==
//
//	event: end
//	data: {"items":2,"bytes":9}
//
// JSON lines ([NDJSON]; application/x-ndjson): one object a line. An item that is a
// JSON object or array in one line stands inline.
//
//	{"index":0,"text":"Hello"}
//	{"index":1,"json":{"token":7}}
//	{"index":2,"base64":"AAECAw=="}
//	{"end":{"items":3,"bytes":20}}
//
// In both, a failure is {"code":"HANDLER","origin":"APP","phase":"STARTED",
// "reason":"out of luck","items":1,"bytes":5,"retry_after_ms":0}, as the data of an
// event "error" or under the key "error". Binary ([Binary];
// application/vnd.wireplane.stream) is spec/stream.wire. A heartbeat is a comment, an
// empty line, or a frame; readers skip it.
package itemstream
