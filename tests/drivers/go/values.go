package main

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"net"
	"reflect"
	"strconv"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"gopkg.in/inf.v0"
)

// cqlType is a type of types.json with the Go type that an application would use for it.
type cqlType struct {
	name   string
	of     []*cqlType
	goType reflect.Type
}

type address struct {
	Street *string `cql:"street"`
	Zip    *int    `cql:"zip"`
}

type place struct {
	N *int
	S *string
}

type person struct {
	Name   *string  `cql:"name"`
	Home   *address `cql:"home"`
	Phones []string `cql:"phones"`
	At     *place   `cql:"at"`
}

var scalars = map[string]interface{}{
	"ascii": "", "text": "", "varchar": "", "blob": []byte{}, "boolean": false, "tinyint": int8(0), "smallint": int16(0),
	"int": int(0), "bigint": int64(0), "varint": new(big.Int), "decimal": new(inf.Dec), "float": float32(0),
	"double": float64(0), "date": time.Time{}, "time": time.Duration(0), "timestamp": time.Time{}, "uuid": gocql.UUID{},
	"timeuuid": gocql.UUID{}, "inet": net.IP{}, "duration": gocql.Duration{}, "address": address{}, "person": person{},
}

func parse(text string) *cqlType {
	at := strings.IndexByte(text, '<')
	if at < 0 {
		t := &cqlType{name: text, goType: reflect.TypeOf(scalars[text])}
		switch text {
		case "address":
			t.of = []*cqlType{parse("text"), parse("int")}
		case "person":
			t.of = []*cqlType{parse("text"), parse("address"), parse("set<text>"), parse("tuple<int, text>")}
			t.of[3].goType = reflect.TypeOf(place{})
		}
		return t
	}
	t := &cqlType{name: text[:at]}
	inner, depth, start := text[at+1:len(text)-1], 0, 0
	for i := 0; i <= len(inner); i++ {
		if i == len(inner) || inner[i] == ',' && depth == 0 {
			part := strings.TrimSpace(inner[start:i])
			if _, err := strconv.Atoi(part); err != nil {
				t.of = append(t.of, parse(part))
			}
			start = i + 1
		} else if inner[i] == '<' {
			depth++
		} else if inner[i] == '>' {
			depth--
		}
	}
	switch t.name {
	case "frozen":
		return t.of[0]
	case "list", "set", "vector":
		t.goType = reflect.SliceOf(t.of[0].goType)
	case "map":
		// A Go map has no slices as keys.
		key := t.of[0].goType
		if key.Kind() == reflect.Slice {
			key = reflect.ArrayOf(2, key.Elem())
		}
		t.goType = reflect.MapOf(key, t.of[1].goType)
	case "tuple":
		fields := []reflect.StructField{}
		for i, element := range t.of {
			fields = append(fields, reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: pointer(element.goType)})
		}
		t.goType = reflect.StructOf(fields)
	}
	return t
}

// pointer is the type that tells null from a value.
func pointer(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Ptr {
		return t
	}
	return reflect.PtrTo(t)
}

// dest is what Scan gets: a place for the value, or one for each element of a tuple.
func (t *cqlType) dest() []interface{} {
	if t.name != "tuple" {
		return []interface{}{reflect.New(pointer(t.goType)).Interface()}
	}
	out := []interface{}{}
	for _, element := range t.of {
		out = append(out, reflect.New(pointer(element.goType)).Interface())
	}
	return out
}

func (t *cqlType) plainDest(dest []interface{}) interface{} {
	if t.name != "tuple" {
		return t.plain(reflect.ValueOf(dest[0]).Elem())
	}
	out, all := []interface{}{}, true
	for i, element := range t.of {
		value := element.plain(reflect.ValueOf(dest[i]).Elem())
		out, all = append(out, value), all && value == nil
	}
	if all {
		return nil
	}
	return out
}

// bound is what Bind gets, and its markers: one, but the driver binds a tuple element by element.
func (t *cqlType) bound(value interface{}) (string, []interface{}) {
	if value == nil {
		if t.name == "tuple" {
			return "null", nil
		}
		return "?", []interface{}{reflect.Zero(pointer(t.goType)).Interface()}
	}
	if t.name != "tuple" {
		return "?", []interface{}{t.native(value)}
	}
	markers, out := []string{}, []interface{}{}
	for i, element := range t.of {
		marker, values := element.bound(value.([]interface{})[i])
		markers, out = append(markers, marker), append(out, values...)
	}
	return "(" + strings.Join(markers, ", ") + ")", out
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func bytesOf(text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

// native makes what an application would bind.
func (t *cqlType) native(value interface{}) interface{} {
	if value == nil {
		return nil
	}
	text, _ := value.(string)
	list, _ := value.([]interface{})
	switch t.name {
	case "ascii", "text", "varchar", "boolean":
		return value
	case "tinyint":
		return int8(number(text))
	case "smallint":
		return int16(number(text))
	case "int":
		return int(number(text))
	case "bigint":
		return number(text)
	case "varint":
		n, _ := new(big.Int).SetString(text, 10)
		return n
	case "decimal":
		halves := strings.Split(text, "/")
		n, _ := new(big.Int).SetString(halves[0], 10)
		return inf.NewDecBig(n, inf.Scale(number(halves[1])))
	case "blob":
		return bytesOf(text)
	case "float":
		bits, _ := strconv.ParseUint(text, 16, 32)
		return math.Float32frombits(uint32(bits))
	case "double":
		bits, _ := strconv.ParseUint(text, 16, 64)
		return math.Float64frombits(bits)
	case "date":
		return time.Unix(number(text)*86400, 0).UTC()
	case "time":
		return time.Duration(number(text))
	case "timestamp":
		return time.UnixMilli(number(text)).UTC()
	case "uuid", "timeuuid":
		id, err := gocql.ParseUUID(text)
		if err != nil {
			panic(err)
		}
		return id
	case "inet":
		return net.IP(bytesOf(text))
	case "duration":
		parts := strings.Split(text, ",")
		return gocql.Duration{Months: int32(number(parts[0])), Days: int32(number(parts[1])), Nanoseconds: number(parts[2])}
	case "map":
		out := reflect.MakeMap(t.goType)
		for _, pair := range list {
			out.SetMapIndex(t.filled(t.goType.Key(), t.of[0], pair.([]interface{})[0]),
				t.filled(t.goType.Elem(), t.of[1], pair.([]interface{})[1]))
		}
		return out.Interface()
	case "list", "set", "vector":
		out := reflect.MakeSlice(t.goType, 0, len(list))
		for _, v := range list {
			out = reflect.Append(out, t.filled(t.goType.Elem(), t.of[0], v))
		}
		return out.Interface()
	}
	out := reflect.New(t.goType).Elem()
	for i, element := range t.of {
		if list[i] != nil {
			out.Field(i).Set(t.filled(t.goType.Field(i).Type, element, list[i]))
		}
	}
	return out.Interface()
}

// filled is an element's value in the Go type of its place.
func (t *cqlType) filled(want reflect.Type, element *cqlType, value interface{}) reflect.Value {
	got := reflect.ValueOf(element.native(value))
	switch {
	case want.Kind() == reflect.Ptr && got.Kind() != reflect.Ptr:
		p := reflect.New(want.Elem())
		p.Elem().Set(got)
		return p
	case want.Kind() == reflect.Array:
		array := reflect.New(want).Elem()
		reflect.Copy(array, got)
		return array
	}
	return got
}

// plain makes what types.json says.
func (t *cqlType) plain(v reflect.Value) interface{} {
	if v.Kind() == reflect.Ptr && v.IsNil() {
		return nil
	}
	switch value := v.Interface().(type) {
	case *big.Int:
		return value.String()
	case *inf.Dec:
		return fmt.Sprintf("%s/%d", value.UnscaledBig(), value.Scale())
	}
	if v.Kind() == reflect.Ptr {
		return t.plain(v.Elem())
	}
	switch value := v.Interface().(type) {
	case string, bool:
		return value
	case int8, int16, int, int64:
		return fmt.Sprint(value)
	case []byte:
		return hex.EncodeToString(value)
	case float32:
		return fmt.Sprintf("%08x", math.Float32bits(value))
	case float64:
		return fmt.Sprintf("%016x", math.Float64bits(value))
	case time.Time:
		if t.name == "date" {
			return fmt.Sprint(value.Unix() / 86400)
		}
		return fmt.Sprint(value.UnixMilli())
	case time.Duration:
		return fmt.Sprint(int64(value))
	case gocql.UUID:
		return value.String()
	case net.IP:
		if four := value.To4(); four != nil {
			value = four
		}
		return hex.EncodeToString(value)
	case gocql.Duration:
		return fmt.Sprintf("%d,%d,%d", value.Months, value.Days, value.Nanoseconds)
	}
	switch v.Kind() {
	case reflect.Map:
		out := [][]interface{}{}
		for iter := v.MapRange(); iter.Next(); {
			out = append(out, []interface{}{t.of[0].plain(iter.Key()), t.of[1].plain(iter.Value())})
		}
		return out
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.IsNil() {
			return nil
		}
		out := []interface{}{}
		for i := 0; i < v.Len(); i++ {
			out = append(out, t.of[0].plain(v.Index(i)))
		}
		return out
	}
	out := []interface{}{}
	for i, element := range t.of {
		out = append(out, element.plain(v.Field(i)))
	}
	return out
}
