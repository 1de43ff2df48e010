// What tests put into pods: `probe serve PORT` answers with the host name, `probe fetch URL` asks.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: probe serve PORT | probe fetch URL")
		os.Exit(2)
	}
	var err error
	switch os.Args[1] {
	case "serve":
		err = serve(os.Args[2])
	case "fetch":
		err = fetch(os.Args[2])
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(port string) error {
	return http.ListenAndServe(":"+port, http.HandlerFunc(
		func(answer http.ResponseWriter, _ *http.Request) {
			name, err := os.Hostname()
			if err != nil {
				http.Error(answer, err.Error(), http.StatusInternalServerError)
				return
			}
			fmt.Fprintln(answer, name)
		}))
}

func fetch(address string) error {
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Get(address)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", address, answer.Status)
	}
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}
