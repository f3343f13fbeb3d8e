import { useQueryClient } from "@tanstack/react-query"
import { useState } from "react"
import { useSearchParams } from "wouter"
import { meQuery, verifyAddress } from "../../api/account"
import { Form } from "../../ui/Form"
import { Notice } from "../../ui/Notice"
import { Page } from "../../ui/Page"
import { words } from "../../words/words"
import { Afterwards } from "./fields"

/** Where the mail of a registration leads. Opening it changes nothing, since mail scanners open links: the button does. */
export function VerifyPage() {
  const [search] = useSearchParams()
  const [done, setDone] = useState(false)
  const queries = useQueryClient()
  const token = search.get("token")
  const said = words.account.verify
  if (done) return <Afterwards title={said.done}>{said.doneText}</Afterwards>
  return (
    <Page title={said.title} narrow>
      {token ? (
        <>
          <p>{said.text}</p>
          <Form
            submit={said.submit}
            act={async () => {
              await verifyAddress(token)
              void queries.invalidateQueries({ queryKey: meQuery.queryKey })
              setDone(true)
            }}
          />
        </>
      ) : (
        <Notice trouble>{words.account.incomplete}</Notice>
      )}
    </Page>
  )
}
