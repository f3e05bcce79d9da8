-- Nearly every resource gets a status soon after it was created, in one batch with its neighbours. A version that finds no room on
-- its page needs an entry in every index: more than twice the processor time and many times the log. So there is room for one that is
-- half again as large as the first. A fuller page saves nothing: its later versions fill new pages.
ALTER TABLE resources SET (fillfactor = 40);
