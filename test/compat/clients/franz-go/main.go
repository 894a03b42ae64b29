// What franz-go has to be able to do.
package main

func main() {
	checkAdministration()
	checkRecords()
	checkGroups()
	write(map[string]any{"done": true})
}
