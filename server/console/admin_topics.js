// The topics of a page, the busiest first.

function topicListing(calls) {
  const rateOf = (topic) => topic.messagesPerSecond ?? 0;
  const followersOf = (topic) => Number(topic.followers ?? 0);
  return new Listing(byId('topics'), calls, {
    method: 'ListTopics',
    request: (filter) => filter,
    list: (answer) => (answer.topics ?? []).sort(
        (a, b) => rateOf(b) - rateOf(a) || followersOf(b) - followersOf(a) ||
            ((a.topic ?? '') < (b.topic ?? '') ? -1 : 1)),
    key: (topic) => topic.topic ?? '',
    cells: (topic) => [
      topic.topic || quiet('the common topic'),
      count(followersOf(topic)),
      rate(rateOf(topic)),
      grouped.format(Number(topic.head ?? 0)),
      inWords(format.bytes(Number(topic.bytes ?? 0))),
    ],
  });
}
