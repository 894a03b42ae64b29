package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"time"
)

var (
	bootstrap = fromEnvironment("COMPAT_BOOTSTRAP", "localhost:9092")
	prefix    = fromEnvironment("COMPAT_PREFIX", "compat-")
	match     = os.Getenv("COMPAT_MATCH")
)

func fromEnvironment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// unique makes a name of a topic or group that nobody else uses.
func unique(name string) string { return prefix + name }

// scope is what a check runs in: it collects what is to be closed when the check is over.
type scope struct{ closers []func() }

func (s *scope) after(close func()) { s.closers = append(s.closers, close) }

// failure is what must and same panic with.
type failure struct{ text string }

// check runs one check and writes one line about it.
func check(name string, body func(*scope)) {
	if !strings.Contains(name, match) {
		return
	}
	startedAt := time.Now()
	scope := &scope{}
	message := map[string]any{"check": name}
	func() {
		defer func() {
			switch problem := recover().(type) {
			case nil:
			case failure:
				message["error"] = problem.text + "\n" + place()
			default:
				message["error"] = fmt.Sprintf("panic: %v\n%s", problem, debug.Stack())
			}
		}()
		body(scope)
	}()
	message["tookMs"] = time.Since(startedAt).Milliseconds()
	write(message)
	for i := len(scope.closers) - 1; i >= 0; i-- {
		scope.closers[i]()
	}
}

// place says where in the checks a failure came from.
func place() string {
	lines := []string{}
	for _, line := range strings.Split(string(debug.Stack()), "\n") {
		if strings.Contains(line, "clients/franz-go/") && !strings.Contains(line, "/report.go:") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return strings.Join(lines, "\n")
}

func write(message map[string]any) {
	line, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

// expectCodec asks the runner to look whether the first batch of the partition is stored with this codec.
func expectCodec(topic string, codec string) {
	write(map[string]any{"codec": codec, "topic": topic, "partition": 0})
}

func fail(format string, arguments ...any) { panic(failure{fmt.Sprintf(format, arguments...)}) }

// must ends the check if there is an error.
func must(err error, about ...any) {
	if err != nil {
		fail("%s: %v", fmt.Sprint(about...), err)
	}
}

// need returns the value unless there is an error.
func need[T any](value T, err error) T {
	must(err)
	return value
}

// same ends the check unless the two are equal.
func same(found, expected any, about ...any) {
	if !reflect.DeepEqual(found, expected) {
		fail("%s\n  found    %v\n  expected %v", fmt.Sprint(about...), found, expected)
	}
}

// until calls the body until it returns true.
func until(what func() string, body func() bool) {
	deadline := time.Now().Add(30 * time.Second)
	for !body() {
		if time.Now().After(deadline) {
			fail("waited 30 s in vain: %s", what())
		}
		time.Sleep(20 * time.Millisecond)
	}
}
