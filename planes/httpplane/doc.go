// Package httpplane carries calls over HTTP/1.1, HTTP/2 over clear text, and TLS, so
// that curl, proxies and balancers can take part. It is thin: net/http in and out.
//
// # Calling
//
// A worker's [Server] answers POST {root}/{endpoint}; the last segment of an endpoint's
// name is enough where it is the only one:
//
//	curl -N -d hello http://localhost:8081/v1/rpc/demo/backend/generate
//	curl -N -d hello -H 'Accept: application/x-ndjson' http://localhost:8081/v1/rpc/generate
//
// The answer streams back in the same exchange, in one of the forms of package
// framing/itemstream: server-sent events, JSON lines, or binary, as Accept asks. It ends
// with an explicit terminal that carries totals; an answer without one was cut short. A
// call that fails before its first item, within ServerConfig.StatusDelay, has an HTTP
// status of its own ([StatusOf]) and a JSON body with code, phase and retry_after_ms.
// While there is nothing to say, a heartbeat comes every 15 s.
//
// Headers: Wireplane-Timeout (1500ms) or Request-Timeout (seconds) bound the call,
// traceparent and tracestate are those of W3C, and each Wireplane-Header: name=value,
// percent-encoded, is a header of the request.
//
// A caller that leaves ends the handler's context. To let the handler finish early
// and still get what it sends, name the call as the answer's Wireplane-Stream did:
//
//	curl -X DELETE -H "Wireplane-Stream: $NAME" http://localhost:8081/v1/rpc/generate
//
// GET describes an endpoint, or lists them all:
//
//	curl -v http://localhost:8081/v1/rpc/generate
//	curl http://localhost:8081/v1/rpc
//
// # Answers that go elsewhere
//
// A body that is an envelope with connection info (package planes/envelope) is answered
// 202 as soon as the worker has queued it; its answer takes the response plane that the
// envelope names.
//
// [Client] makes both kinds of calls.
//
// # Attached answers
//
// A worker's [ResponseListener] is a response plane: an answer waits there until the
// router, which named subject and token in the envelope, comes for it:
//
//	curl -N -H "Wireplane-Token: $TOKEN" http://localhost:8082/v1/rpc/response/$SUBJECT
//
// Who is not expected is turned away with 404 (unknown), 403 (wrong token), 409
// (somebody is attached) or 410 (over, or not held any more). A GET that is cut off may
// come back within ListenerConfig.Grace, with Last-Event-ID, and goes on behind that
// item, if it is still held. DELETE asks the handler to finish; with
// "Wireplane-Control: kill" it ends the answer. [Attacher] is the router's side, and
// does all that.
package httpplane
