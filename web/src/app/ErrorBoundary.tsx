import { Component, type ReactNode } from "react"
import { Button } from "../ui/Button"
import { Page } from "../ui/Page"
import { words } from "../words/words"

/** Shows plain words in the place of what has crashed. Give it a key that changes with the address: a new chance. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false }

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true }
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children
    return (
      <Page title={words.trouble.broken} narrow>
        <p>{words.trouble.brokenText}</p>
        <Button onClick={() => location.reload()}>{words.trouble.reload}</Button>
      </Page>
    )
  }
}
