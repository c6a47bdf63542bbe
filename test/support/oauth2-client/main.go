// An OAuth2 client that knows nothing of Saldo: Go's own library gets the tokens, renews them and puts them into requests.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func main() {
	base := os.Getenv("SALDO_URL")
	style := oauth2.AuthStyleInHeader
	if os.Getenv("AUTH_STYLE") == "params" {
		style = oauth2.AuthStyleInParams
	}
	client := (&clientcredentials.Config{
		ClientID:     os.Getenv("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
		TokenURL:     base + "/api/v1/auth/token",
		Scopes:       strings.Fields(os.Getenv("SCOPES")),
		AuthStyle:    style,
	}).Client(context.Background())
	request, err := http.NewRequest("POST", base+"/api/v1/balances/anna/deposits", strings.NewReader(`{"amount":"12.50"}`))
	if err != nil {
		fail(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", os.Getenv("KEY"))
	answer, err := client.Do(request)
	if err != nil {
		fail(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		fail(err)
	}
	fmt.Printf("%d %s\n", answer.StatusCode, body)
}

func fail(err error) {
	fmt.Println(err)
	os.Exit(1)
}
