// AWS's SDK for Go in the table of tests/api/cells.py: a command per line in, what the SDK made of the answer out.
// Endpoint, keys and region come from the environment, as for any program.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/keyspaces"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithymiddleware "github.com/aws/smithy-go/middleware"
)

var paginators = map[string]any{
	"ListKeyspaces":       keyspaces.NewListKeyspacesPaginator,
	"ListTables":          keyspaces.NewListTablesPaginator,
	"ListTypes":           keyspaces.NewListTypesPaginator,
	"ListTagsForResource": keyspaces.NewListTagsForResourcePaginator,
	"GetResources":        resourcegroupstaggingapi.NewGetResourcesPaginator,
	"GetTagKeys":          resourcegroupstaggingapi.NewGetTagKeysPaginator,
	"GetTagValues":        resourcegroupstaggingapi.NewGetTagValuesPaginator,
}

type command struct {
	Service, Operation string
	Input              json.RawMessage
	Page               *struct {
		Member string
		Size   int
	}
}

// plain gives a value as AWS's model has it: members of keyspaces begin small there. Times are seconds since 1970.
func plain(value reflect.Value, small bool) any {
	switch value.Kind() {
	case reflect.Ptr, reflect.Interface:
		if value.IsNil() {
			return nil
		}
		return plain(value.Elem(), small)
	case reflect.Struct:
		if at, ok := value.Interface().(time.Time); ok {
			return float64(at.UnixMilli()) / 1000
		}
		out := map[string]any{}
		for i := 0; i < value.NumField(); i++ {
			name := value.Type().Field(i).Name
			if !value.Type().Field(i).IsExported() || name == "ResultMetadata" {
				continue
			}
			if small {
				name = strings.ToLower(name[:1]) + name[1:]
			}
			if member := plain(value.Field(i), small); member != nil {
				out[name] = member
			}
		}
		return out
	case reflect.Slice:
		if value.IsNil() {
			return nil
		}
		out := []any{}
		for i := 0; i < value.Len(); i++ {
			out = append(out, plain(value.Index(i), small))
		}
		return out
	case reflect.Map:
		if value.IsNil() {
			return nil
		}
		out := map[string]any{}
		for _, key := range value.MapKeys() {
			out[key.String()] = plain(value.MapIndex(key), small)
		}
		return out
	case reflect.String: // of an enum, "" is one that is absent
		if value.Type() != reflect.TypeOf("") && value.Len() == 0 {
			return nil
		}
		return value.String()
	default:
		return value.Interface()
	}
}

// fault names the type that an application would look for with errors.As, if the SDK made the error of that type.
func fault(err error) map[string]any {
	var known smithy.APIError
	if !errors.As(err, &known) {
		return map[string]any{"fault": "Client", "message": err.Error()}
	}
	out := map[string]any{"fault": reflect.TypeOf(known).Elem().Name(), "message": known.ErrorMessage()}
	if out["fault"] != known.ErrorCode() {
		out["fault"] = fmt.Sprintf("%s: %s", out["fault"], known.ErrorCode())
	}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		out["status"], out["id"] = answer.HTTPStatusCode(), answer.ServiceRequestID()
	}
	return out
}

func failed(results []reflect.Value) error {
	err, _ := results[1].Interface().(error)
	return err
}

func run(client any, line command) map[string]any {
	small, background := line.Service == "keyspaces", reflect.ValueOf(context.Background())
	method := reflect.ValueOf(client).MethodByName(line.Operation)
	input := reflect.New(method.Type().In(1).Elem())
	decoder := json.NewDecoder(bytes.NewReader(line.Input))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(input.Interface()); err != nil {
		return fault(err)
	}
	if line.Page == nil {
		results := method.Call([]reflect.Value{background, input})
		if err := failed(results); err != nil {
			return fault(err)
		}
		metadata := results[0].Elem().FieldByName("ResultMetadata").Interface().(smithymiddleware.Metadata)
		id, _ := middleware.GetRequestIDMetadata(metadata)
		return map[string]any{"answer": plain(results[0], small), "id": id}
	}
	if line.Page.Member != "" {
		size := int32(line.Page.Size)
		input.Elem().FieldByName(strings.ToUpper(line.Page.Member[:1]) + line.Page.Member[1:]).Set(reflect.ValueOf(&size))
	}
	paginator := reflect.ValueOf(paginators[line.Operation]).Call([]reflect.Value{reflect.ValueOf(client), input})[0]
	pages := []any{}
	for paginator.MethodByName("HasMorePages").Call(nil)[0].Bool() {
		results := paginator.MethodByName("NextPage").Call([]reflect.Value{background})
		if err := failed(results); err != nil {
			return fault(err)
		}
		pages = append(pages, plain(results[0], small))
	}
	return map[string]any{"pages": pages}
}

func main() {
	settings, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	clients := map[string]any{
		"keyspaces":                keyspaces.NewFromConfig(settings),
		"resourcegroupstaggingapi": resourcegroupstaggingapi.NewFromConfig(settings),
		"sts":                      sts.NewFromConfig(settings),
	}
	lines, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	lines.Buffer(nil, 1<<22)
	out.SetEscapeHTML(false)
	for lines.Scan() {
		var line command
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := out.Encode(run(clients[line.Service], line)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
