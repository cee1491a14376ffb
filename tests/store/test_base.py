"""x"""
async def test_x(database):
    """x"""
    async def f(tx, k):
        await tx.run("INSERT INTO meta (key, value) VALUES (?, ?)", k, "v")
        return (await tx.one("SELECT count(*) FROM meta"))[0]
    assert await database.write(f, "a") == 1
