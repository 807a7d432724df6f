// Browsers start no worker for a page that is read from a disk. The search then works in a hidden frame.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    #frame = document.createElement("iframe")
    #loaded

    constructor(url) {
      super()
      this.#frame.hidden = true
      document.body.append(this.#frame)
      const inside = this.#frame.contentWindow
      inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
      const script = inside.document.createElement("script")
      this.#loaded = new Promise(done => script.addEventListener("load", done))
      script.src = new URL(url, document.baseURI)
      inside.document.body.append(script)
    }

    async postMessage(data) {
      await this.#loaded
      const inside = this.#frame.contentWindow
      inside.dispatchEvent(new inside.MessageEvent("message", { data }))
    }

    terminate() {
      this.#frame.remove()
    }
  }
}
