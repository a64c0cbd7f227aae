// Runs a health check in Lua as Argo CD does, in the interpreter of its release: the script and the objects
// come from standard input, what it says of each goes to standard output, both as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// What Argo CD takes for a health; anything else is shown as Unknown.
var known = []string{"Unknown", "Progressing", "Suspended", "Healthy", "Degraded", "Missing"}

// No check of Argo CD runs longer.
const limit = time.Second

type question struct {
	Script  string           `json:"script"`
	Objects []map[string]any `json:"objects"`
}

type health struct {
	Status  string `json:"status,omitempty"`
	Message string `json:"message,omitempty"`
	Error   string `json:"error,omitempty"`
}

func main() {
	if err := answer(); err != nil {
		fmt.Fprintln(os.Stderr, "argocd-health:", err)
		os.Exit(1)
	}
}

func answer() error {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return err
	}
	told := []health{}
	for _, object := range asked.Objects {
		one, err := check(asked.Script, object)
		if err != nil {
			one = health{Error: err.Error()}
		}
		told = append(told, one)
	}
	return json.NewEncoder(os.Stdout).Encode(told)
}

func check(script string, object map[string]any) (health, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	// A script of argocd-cm has these libraries, and an os without what touches the machine; no string, no math.
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		call := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return health{}, err
		}
	}
	limited, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	state.SetContext(limited)
	state.SetGlobal("obj", value(state, object))
	if err := state.DoString(script); err != nil {
		return health{}, err
	}
	return returned(state.Get(-1))
}

func returned(result lua.LValue) (health, error) {
	table, ok := result.(*lua.LTable)
	if !ok {
		return health{}, fmt.Errorf("the script returns %s, no table", result.Type())
	}
	status, ok := table.RawGetString("status").(lua.LString)
	if !ok || !slices.Contains(known, string(status)) {
		return health{}, fmt.Errorf("the status %v is none that Argo CD knows: %v", table.RawGetString("status"), known)
	}
	switch message := table.RawGetString("message").(type) {
	case lua.LString:
		return health{Status: string(status), Message: string(message)}, nil
	case *lua.LNilType:
		return health{Status: string(status)}, nil
	default:
		return health{}, errors.New("the message is no text")
	}
}

// An object as the script sees it.
func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case bool:
		return lua.LBool(from)
	case float64:
		return lua.LNumber(from)
	case string:
		return lua.LString(from)
	case []any:
		list := state.CreateTable(len(from), 0)
		for _, item := range from {
			list.Append(value(state, item))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(from))
		for key, item := range from {
			table.RawSetString(key, value(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}
