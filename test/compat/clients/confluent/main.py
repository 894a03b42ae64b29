"""What confluent-kafka for Python has to be able to do."""

import administration
import groups
import records
from report import write

administration.run()
records.run()
groups.run()
write({"done": True})
