// A reader who hears the page needs a name for what the search opens; the theme gives it none.
document.querySelector(".md-search")?.setAttribute("aria-label", "Search")
