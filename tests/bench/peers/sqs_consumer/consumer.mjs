// npm's sqs-consumer as its README has it: `node consumer.mjs` takes ten messages at a time and registers their objects
// with one request. What Darwin does not answer with 2xx is thrown: sqs-consumer then deletes nothing of the batch, and
// SQS delivers it again when its visibility timeout is over. One batch after the other, which is the library's default.

import { Consumer } from "sqs-consumer";

const { QUEUE_URL, DARWIN_BASE_URL, DARWIN_API_KEY, DARWIN_TEAM, DARWIN_DATASET, DARWIN_STORAGE } = process.env;

const app = Consumer.create({
  queueUrl: QUEUE_URL,
  batchSize: 10,
  handleMessageBatch: async (messages) => {
    await register(messages.flatMap(({ Body }) => JSON.parse(Body).Records.map(itemOf)));
    return messages; // only what is returned is deleted
  },
});

function itemOf(record) {
  const key = decodeURIComponent(record.s3.object.key.replaceAll("+", " "));
  return { path: "/", type: "image", storage_key: key, name: key.split("/").at(-1) };
}

async function register(items) {
  const response = await fetch(`${DARWIN_BASE_URL}/api/v2/teams/${DARWIN_TEAM}/items/register_existing`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `ApiKey ${DARWIN_API_KEY}` },
    body: JSON.stringify({ items, dataset_slug: DARWIN_DATASET, storage_slug: DARWIN_STORAGE }),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`Darwin answered ${response.status}: ${answer}`);
}

app.on("error", (error) => console.error(error.message));
app.on("processing_error", (error) => console.error(error.message));

app.start();
