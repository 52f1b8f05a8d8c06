/** Number of questions to Temporal that are open at once. */
export const askedAtOnce = 20;

/** Asks about each item, 20 at once. @returns the answers in the order of the items. @throws the first error. */
export async function askEach<Item, Answer>(
  items: readonly Item[],
  ask: (item: Item) => Promise<Answer>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let begin = 0; begin < items.length; begin += askedAtOnce)
    answers.push(...(await Promise.all(items.slice(begin, begin + askedAtOnce).map(ask))));
  return answers;
}
